"""What several processes have in common, and what they count together."""
