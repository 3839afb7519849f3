"""Questions that an LLM wrote: read out of its replies, filtered, and divided into training and held-out ones."""
