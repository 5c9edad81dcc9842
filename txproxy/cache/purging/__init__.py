"""What was purged: marks, with numbers, by which a stored response is found to be gone when somebody asks for it."""
