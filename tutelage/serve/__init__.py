"""Release to answers and Events: the trained prompt contract, behind OpenAI's interface."""
