"""What several processes know together of one pool."""
