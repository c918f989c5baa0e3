"""Memory and bytes per call, and the tables of docs/capacity.md computed from all results."""
