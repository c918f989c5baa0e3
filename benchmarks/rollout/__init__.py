"""Rollouts on three servers while eight callers send requests."""
