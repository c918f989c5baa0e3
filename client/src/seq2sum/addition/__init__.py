"""The addition model: its serving contract, its calls and their results."""
