"""Error pages of one's own, in place of the proxy's small ones.

A page of HTML that has ``$reason`` in it is one that is filled in: with ``$status`` and, where policy has refused,
``$url``, ``$list`` and ``$rule``, which are escaped for text and attributes in quotes, and for no other place. Such a
one stands in place of what policy says itself as well.
"""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Final

from txproxy.errors import ConfigError, Finding
from txproxy.frozen_values import frozen
from txproxy.wire import grammar

_LARGEST: Final = 1 << 20
_NAMES: Final = re.compile(rb"\$(?:\{(reason|status|url|list|rule)\}|(reason|status|url|list|rule)\b)")
_STATUS: Final = re.compile(r"[45](?:[0-9][0-9]|xx)")
_TYPE: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+/[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:[ \t]*;.*)?")

_NO_PAGE: Final = (b"", b"")


@frozen
class Page:
    """One page: the content of ``file``, read when the configuration is, or a ``text``.

    ``content_type`` is told by the file's name if it is not given; a text is ``text/html`` if it begins with ``<``, and
    else ``text/plain``. Text is UTF-8 if no type says otherwise.
    """

    file: str = ""
    text: str = ""
    content_type: str = ""

    def read(self) -> tuple[bytes, bytes]:
        """Content type and body; ``ConfigError`` if there is none, or it cannot be read, or is larger than 1 MiB."""
        if bool(self.file) == bool(self.text):
            raise ConfigError("a page has a file or a text", "accepted is one of the two")
        kind = self.content_type
        if kind and not (_TYPE.fullmatch(kind) and grammar.FIELD_VALUE.fullmatch(kind.encode("utf-8", "replace"))):
            raise ConfigError(f"{kind!r} is no content type", "accepted is one such as text/html; charset=utf-8")
        if self.file:
            body = _content(self.file)
            kind = kind or mimetypes.guess_type(self.file)[0] or "text/html"
        else:
            body = self.text.encode("utf-8", "replace")
            kind = kind or ("text/html" if self.text.lstrip().startswith("<") else "text/plain")
        if len(body) > _LARGEST:
            raise ConfigError(
                f"{self.file or 'the text'} is too large for a page", f"accepted is {_LARGEST} bytes at most"
            )
        if not self.content_type and kind.startswith("text/"):
            kind += "; charset=utf-8"
        return kind.encode("utf-8"), body


def _content(file: str) -> bytes:
    try:
        with Path(file).open("rb") as opened:
            return opened.read(_LARGEST + 1)
    except (OSError, ValueError) as fault:
        why = getattr(fault, "strerror", None) or str(fault)
        raise ConfigError(f"{file!r} cannot be read: {why}", "accepted is a file that can") from None


def pages_in(folder: str) -> tuple[tuple[str, str], ...]:
    """The pages of a folder: its files that are called as a status or a class, ``503.html`` or ``5xx.html``, each with
    that. ``ConfigError`` if there is none, or the folder cannot be read.
    """
    accepted = "accepted is a folder with files such as 404.html and 5xx.html"
    try:
        names = sorted(os.listdir(folder))
    except OSError as fault:
        raise ConfigError(f"{folder}: {fault.strerror or fault}", accepted) from None
    found = {
        status: os.path.join(folder, name)
        for name in names
        if _STATUS.fullmatch(status := os.path.splitext(name)[0].lower()) and not name.endswith("~")
    }
    if not found:
        raise ConfigError(f"{folder}: there is no page in it", accepted)
    return tuple(found.items())


class ErrorPages:
    """Pages by status (``404``, ``"404"``) or by class (``"4xx"``, ``"5xx"``); a status comes before its class. A page
    is a :class:`Page`, or a file's name.

    All is read at once. ``ConfigError`` with one line for each page that is none. It is false if there are no pages.
    """

    __slots__ = ("_pages",)

    def __init__(self, pages: Mapping[int | str, Page | str | Path]) -> None:
        faults: list[Finding] = []
        exact: dict[int, tuple[bytes, bytes]] = {}
        classes: dict[int, tuple[bytes, bytes]] = {}
        for key, page in pages.items():
            status = str(key).lower()
            try:
                if not _STATUS.fullmatch(status):
                    raise ConfigError("no status of an error", "accepted are 400 to 599, 4xx and 5xx")
                content = (page if isinstance(page, Page) else Page(file=str(page))).read()
            except ConfigError as fault:
                faults += fault.at(str(key)).findings
                continue
            if status.endswith("xx"):
                classes[int(status[0])] = content
            else:
                exact[int(status)] = content
        if faults:
            raise ConfigError(faults)
        self._pages = {
            **{status: content for kind, content in classes.items() for status in range(kind * 100, kind * 100 + 100)},
            **exact,
        }

    def __bool__(self) -> bool:
        return bool(self._pages)

    def __eq__(self, other: object) -> bool:
        return self._pages == other._pages if isinstance(other, ErrorPages) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # nobody looks one up

    def render(self, status: int) -> tuple[bytes, bytes] | None:
        """Content type and body of the page for ``status``, or None."""
        return self._pages.get(status)

    def explains(self, status: int) -> bool:
        """Whether the page for ``status`` is one that is filled in with a reason."""
        kind, body = self._pages.get(status, _NO_PAGE)
        return kind.startswith(b"text/html") and (b"$reason" in body or b"${reason}" in body)

    def filled(self, status: int, told: Mapping[str, str]) -> tuple[bytes, bytes] | None:
        """The same, filled in with what is ``told``, of which nothing becomes markup."""
        found = self._pages.get(status)
        if found is None or not self.explains(status):
            return found
        kind, body = found
        words = {**told, "status": str(status)}

        def word(match: re.Match[bytes]) -> bytes:
            return escape(words.get((match[1] or match[2]).decode("ascii"), "")).encode("utf-8", "replace")

        return kind, _NAMES.sub(word, body)
