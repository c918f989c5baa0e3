"""Rollouts through a candidate group and Envoy while outsiders send requests."""
