"""Requests that wait until an upstream has room, and places that are only lent while nobody does."""
