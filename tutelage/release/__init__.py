"""`release`: Verdict in, Release out."""
