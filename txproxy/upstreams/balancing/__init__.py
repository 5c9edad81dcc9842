"""Load balancing: strategies, and what they are made of."""
