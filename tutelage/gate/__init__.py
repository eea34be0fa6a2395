"""Report to Verdict: whether every rule holds, fails, or cannot be told yet."""
