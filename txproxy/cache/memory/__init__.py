"""A store of responses in memory, bounded by all the bytes that it keeps."""
