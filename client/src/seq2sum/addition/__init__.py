"""The model that adds: its serving contract, its calls, and what their replies hold."""
