"""``[[routes]]`` of a file."""
