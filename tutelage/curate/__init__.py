"""Stage 1, rows to a Dataset: read, checked, without repeats and leaks, split, with its card."""
