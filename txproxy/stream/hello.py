"""The ClientHello, where it used to be read: it is `txproxy.wire.hello` now."""

from txproxy.wire.hello import MAX_HELLO, Hello, read_hello

__all__ = ["MAX_HELLO", "Hello", "read_hello"]
