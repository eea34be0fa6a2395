"""The embedded base model: its vocabulary, its text and the way it is drawn for pre-training."""
