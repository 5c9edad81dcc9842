"""URLs in one spelling, and the spelling of patterns that are compared with them."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from txproxy.matching.paths import normal_escapes, plainest

DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def normal_pattern(text: str) -> str:
    """A pattern of a URL with its escapes as they are in what it is compared with. A ``*`` that is escaped stands for
    itself, which is one character.
    """
    if "%" not in text:
        return text
    path, mark, query = text.replace("%2A", "?").replace("%2a", "?").partition("?")
    # A list may have lines that are no UTF-8.
    spelled = plainest(path.encode("utf-8", "surrogateescape"))
    rest = normal_escapes(query.encode("utf-8", "surrogateescape"))
    return spelled.decode("utf-8", "surrogateescape") + mark + rest.decode("utf-8", "surrogateescape")


@lru_cache(maxsize=4096)
def _origin(scheme: str, host: str, port: int) -> str:
    authority = f"[{host}]" if ":" in host else host
    return f"{scheme}://{authority}" if DEFAULT_PORTS[scheme] == port else f"{scheme}://{authority}:{port}"


def query_text(text: bytes) -> bytes:
    """A name or value of a query as the form of a page has it: decoded, with a plus for a space (WHATWG URL 5.1)."""
    return unquote_to_bytes(text.replace(b"+", b" "))


class Url:
    """A URL in normal form. ``host`` has no brackets; ``path`` begins with a slash and has the query in it; ``text`` is
    the whole, without a port that is the scheme's own.
    """

    __slots__ = ("scheme", "host", "port", "path", "text")

    def __init__(self, scheme: str, host: str, port: int, path: str) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.path = path
        self.text = _origin(scheme, host, port) + path

    def __repr__(self) -> str:
        return f"Url({self.text!r})"
