"""Tasks and scorers: what an answer is worth, in training, evaluation and monitoring alike."""
