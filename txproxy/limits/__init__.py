"""How much a client, a user or a rule may use: speed, bytes, and connections."""
