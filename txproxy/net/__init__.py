"""Sockets, and what stands beside them: dialing, transports, time limits. Nothing here knows HTTP."""
