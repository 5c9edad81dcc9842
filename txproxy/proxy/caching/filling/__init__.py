"""Requests that fill the cache, and who gets what comes."""
