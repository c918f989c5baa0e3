"""Evaluation of a trained run.

`scoring` asks questions and compares the answers with true sums, `breakdown` groups the errors,
`exhaustive_evaluation` evaluates a run into its folder, `report` and `pictures` write report.html.
"""
