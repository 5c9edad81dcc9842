"""A shared HTTP cache (RFC 9111): what may be kept, for how long, and where it is kept; no sockets, no exchanges."""
