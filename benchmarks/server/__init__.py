"""Throughput of the embedded server, compared with its graph called in process."""
