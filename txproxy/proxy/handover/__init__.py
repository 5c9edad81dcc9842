"""Connections that one process begins to serve, and another goes on with."""
