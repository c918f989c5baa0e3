"""RPC handlers for one loaded version, and the session that runs them."""
