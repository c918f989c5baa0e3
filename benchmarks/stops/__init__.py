"""Servers stopped under load, again and again."""
