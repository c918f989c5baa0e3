"""Exact match against training cost, and the search for the smallest network."""
