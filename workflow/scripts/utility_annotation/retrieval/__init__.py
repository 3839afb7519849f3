"""From a model and a corpus to a run: encoding, exact search, BM25, and the ranking that all runs share."""
