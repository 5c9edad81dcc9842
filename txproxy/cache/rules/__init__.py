"""What is configured of a cache: how large it is, and which policy is for which request."""
