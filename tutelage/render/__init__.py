"""The prompt contract: what is trained is what is served."""
