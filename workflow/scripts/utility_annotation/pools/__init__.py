"""Candidate passages of every query: mining, duplicates, pools and their shards."""
