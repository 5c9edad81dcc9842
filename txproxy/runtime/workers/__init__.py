"""Several processes that serve one configuration: a master, a mould that forks workers, and these."""
