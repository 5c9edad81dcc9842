"""What a pattern means, once, for all modes."""
