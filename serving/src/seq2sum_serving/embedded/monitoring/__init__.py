"""Metrics under TensorFlow Serving's names."""
