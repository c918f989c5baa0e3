"""Gates that a version has to pass before it gets traffic, and while it has a share."""
