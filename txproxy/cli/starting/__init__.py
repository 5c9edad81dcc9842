"""How the command comes to be at work: until it is, and as what it runs."""
