"""Throughput and CPU time of the Python client, compared with tensorflow-serving-api."""
