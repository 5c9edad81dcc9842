"""Pools of upstreams: who is there, who is well, and whose turn it is. All modes may have them."""
