"""Parent proxies: which are there, whose turn it is, and what goes past them."""
