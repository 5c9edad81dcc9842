"""The admin API: what a running proxy says of itself, and what it may be told to do."""
