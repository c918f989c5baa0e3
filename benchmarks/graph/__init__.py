"""CPU time of the exported serving graph, compared with stock Keras."""
