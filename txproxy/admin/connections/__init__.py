"""What the admin API says of clients that are connected, and what they have at work."""
