"""Upstreams that are given by name, and follow it."""
