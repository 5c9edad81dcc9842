"""HTTP/2 towards clients: a connection, and the exchanges of its streams."""
