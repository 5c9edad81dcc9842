"""Bytes to messages and back, sans-I/O: nothing here knows of sockets, reactors or time."""
