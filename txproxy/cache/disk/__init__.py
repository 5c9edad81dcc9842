"""A store of responses on a disk: segments that are appended to, and an index that only hints at what is where."""
