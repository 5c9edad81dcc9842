"""Responses of which not all is stored (RFC 9111 sections 3.3 and 3.4)."""
