"""From a run and judgements to figures: retrieval metrics and significance tests."""
