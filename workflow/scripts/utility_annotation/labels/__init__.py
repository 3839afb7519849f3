"""From annotation shards to labels: merging, unions, files, quality, cost."""
