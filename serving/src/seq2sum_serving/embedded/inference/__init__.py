"""What RPCs do with one loaded version."""
