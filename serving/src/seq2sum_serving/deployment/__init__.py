"""A deployed model: its version folders, config file, replicas, weights and history."""
