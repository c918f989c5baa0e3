"""A gRPC load generator that costs little, so that the server is measured and not the client."""
