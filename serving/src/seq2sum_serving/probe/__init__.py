"""`seq2sum-probe`: asks replicas as a caller would, and exports what they cannot say themselves."""
