"""The network, in Keras and unrolled."""
