"""Serving: the embedded server, and what TensorFlow Serving's container is configured with."""
