"""Shared by all benchmarks: trained models, output, Markdown, and process statistics."""
