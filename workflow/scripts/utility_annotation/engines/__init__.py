"""What runs an LLM, and the store of its completions."""
