"""Programs that nobody has read, run where they can do no harm and cannot mark their own work."""
