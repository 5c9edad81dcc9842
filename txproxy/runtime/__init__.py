"""A configuration that lives: it is built, listens, is read again, and leaves."""
