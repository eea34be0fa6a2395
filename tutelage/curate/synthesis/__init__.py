"""Rows that a teacher drafts: seeds, drafts, what is sifted out of them, and people's review."""
