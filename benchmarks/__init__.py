"""Benchmarks and soak tests, run from the root of the repository: `make help` lists them."""
