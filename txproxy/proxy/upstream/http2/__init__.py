"""Upstreams that speak HTTP/2: a connection, and the requests that have streams on it."""
