"""Texts of configurations as they come over the wire, and what came over it as people may read it."""

from __future__ import annotations


def as_bytes(text: str) -> bytes:
    """Text of a configuration as it may come over the wire."""
    return text.encode("utf-8", "surrogateescape")


def shown(value: bytes) -> str:
    """Bytes as people may read them."""
    return value.decode("utf-8", "backslashreplace")
