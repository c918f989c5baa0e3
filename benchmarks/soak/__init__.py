"""One server under load, version swaps and abuse for minutes."""
