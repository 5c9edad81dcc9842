"""Fields in HTTP/2 (RFC 7541), and the heads that they make (RFC 9113 section 8)."""
