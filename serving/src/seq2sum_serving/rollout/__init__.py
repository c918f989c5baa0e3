"""Moves live traffic from one model version to the next without a failed call."""
