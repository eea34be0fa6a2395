"""What can be said of texts: which repeat each other, and which hold a part of another."""
