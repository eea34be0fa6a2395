"""Where results lie: immutable artifacts, run folders and lineage."""
