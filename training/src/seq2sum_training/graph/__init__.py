"""The serving graph: strings in, the network as constants, strings out."""
