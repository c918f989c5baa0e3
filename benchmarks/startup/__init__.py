"""Start-up time of the embedded server and of the rollout tool's help."""
