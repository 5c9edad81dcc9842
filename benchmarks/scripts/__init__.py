"""Proxies written with Python frameworks, as small programs."""
