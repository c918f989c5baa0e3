"""`seq2sum-probe`: sends golden questions to the replicas of a model and exports the results."""
