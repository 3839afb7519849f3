"""An LLM judges the passages of a pool: engines, prompts, replies, the completion store, and one module per stage."""
