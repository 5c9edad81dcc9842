"""TLS on both sides: contexts for listeners, verification of upstreams."""
