"""Adapter to Report: what the tuned model is worth beside the base it came from."""
