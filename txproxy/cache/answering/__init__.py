"""What a client gets of a stored response: the whole, a part, or word that it has it already."""
