"""What was changed while it ran, written into the file that says what runs."""
