"""What of a configuration lives on over reloads where it has not changed."""
