"""From the locations of a server to routes."""
