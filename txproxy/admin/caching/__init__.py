"""What the admin API says of the cache, and does with it."""
