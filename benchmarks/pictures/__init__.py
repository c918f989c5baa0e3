"""The pictures of the results: each is drawn from a JSON file in `benchmarks/results`."""
