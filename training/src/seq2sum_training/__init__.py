"""Training: from a recipe to a proven, versioned SavedModel with its preprocessing inside."""
