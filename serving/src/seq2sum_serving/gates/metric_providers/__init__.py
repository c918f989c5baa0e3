"""Metric providers: sources of the servers' own metrics, one adapter per module."""
