"""The machine that both modes share: the only place where bytes move."""
