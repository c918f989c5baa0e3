"""Merging the requests of many callers into one run of the graph."""
