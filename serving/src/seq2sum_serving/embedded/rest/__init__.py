"""The REST API, its HTTP server, and the web page on the REST port."""
