"""Trains seq2sum networks, evaluates them and exports them for TensorFlow Serving."""
