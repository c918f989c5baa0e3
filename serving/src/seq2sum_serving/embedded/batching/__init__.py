"""Batching: concurrent requests share runs of the graph."""
