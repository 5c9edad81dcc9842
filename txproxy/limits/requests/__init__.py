"""How many requests, and raw streams, may come."""
