"""Dataset to Adapter."""
