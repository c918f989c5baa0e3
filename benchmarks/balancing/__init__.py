"""Load balancing by Envoy and by round_robin while replicas are killed and added."""
