"""Which passages of a ranking are kept: by a reranker's calibrated scores, or by an LLM."""
