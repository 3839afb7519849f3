"""Files: schemas of our own, readers and writers of others' formats, downloads, models."""
