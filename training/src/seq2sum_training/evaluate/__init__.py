"""Evaluation over the whole problem space, and its report."""
