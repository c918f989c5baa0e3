"""Training data: questions and their split, batches, hard examples, layouts."""
