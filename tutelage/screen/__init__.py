"""What can be said of texts: which repeat each other, hold a part of another, or tell too much."""
