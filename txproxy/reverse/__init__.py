"""Reverse mode: on the servers' side, before a pool of upstreams."""
