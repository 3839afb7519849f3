"""What every room uses: errors, files, progress, hashing, digests, devices."""
