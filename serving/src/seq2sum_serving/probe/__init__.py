"""`seq2sum-probe`: sends golden requests to the replicas of models and exports the results."""
