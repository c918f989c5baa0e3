"""Routers: what moves callers between the stable group and the candidate group."""
