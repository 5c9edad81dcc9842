"""The fast transports, and the one room that touches Twisted's privates.

Each short cut is chosen by the exact type of the transport. All others (TLS by endpoint strings, other reactors'
transports, in-memory ones) take the long way with the same behaviour.
"""
