"""What a version has to show before it gets traffic, and while it does."""
