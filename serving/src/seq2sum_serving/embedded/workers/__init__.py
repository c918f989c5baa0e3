"""Worker processes that serve a server's gRPC port; its first process makes all decisions."""
