"""Routers: each sends a part of the callers to the candidate, one way per module."""
