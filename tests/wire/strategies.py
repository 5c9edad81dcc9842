"""Hypothesis strategies for parts of messages."""

from __future__ import annotations

import string

from hypothesis import strategies as st

TCHAR = (string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~").encode()
VISIBLE = bytes([*range(0x21, 0x7F), *range(0x80, 0x100)])


def of_bytes(alphabet: bytes, *, min_size: int = 0, max_size: int = 12) -> st.SearchStrategy[bytes]:
    """Bytes of an alphabet."""
    return st.lists(st.sampled_from(list(alphabet)), min_size=min_size, max_size=max_size).map(bytes)


def tokens(max_size: int = 12) -> st.SearchStrategy[bytes]:
    """RFC 9110 section 5.6.2."""
    return of_bytes(TCHAR, min_size=1, max_size=max_size)


def values() -> st.SearchStrategy[bytes]:
    """Field values (RFC 9110 section 5.5)."""
    return of_bytes(VISIBLE + b"   \t", max_size=20).map(lambda value: value.strip(b" \t"))


def fields() -> st.SearchStrategy[tuple[bytes, bytes]]:
    """Names and values of any fields."""
    return st.tuples(tokens(), values())


def cuts() -> st.SearchStrategy[list[int]]:
    """Where to cut what is sent, in thousandths of its length."""
    return st.lists(st.integers(0, 1000), max_size=10)
