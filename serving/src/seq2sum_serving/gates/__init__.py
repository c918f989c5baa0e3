"""The gates that a version must pass before it gets traffic, and while it has some."""
