"""From a folder of documents to the passages of a corpus: one reader per format, copies, boilerplate, passages."""
