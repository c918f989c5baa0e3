"""Questions, their layouts, and the batches drawn from them."""
