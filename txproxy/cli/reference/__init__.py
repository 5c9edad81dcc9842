"""What the command says of itself: its options as values, examples, completion for shells, and the documentation."""
