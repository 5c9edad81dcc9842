"""How the workers of one program hand their connections over to those of the next."""
