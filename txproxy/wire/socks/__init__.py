"""SOCKS5 (RFC 1928) with user and password (RFC 1929), sans-I/O: the proxy's side, and the side that asks a parent.

Both are fed bytes as they come, a byte at a time if need be, and say what to send. CONNECT alone is done. SOCKS4 is
recognised, and refused as its clients understand it.
"""
