"""Batching parameters measured against each other; the best ones are written for the servers."""
