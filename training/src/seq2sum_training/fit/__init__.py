"""The training loop: stages, steps, checks, checkpoints, history."""
