"""How a proxy is, again and again, and what has changed: for whoever looks on."""
