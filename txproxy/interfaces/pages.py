"""The small pages that a proxy writes itself: HTML for people, plain text for programs.

Each is a content type and a body, as a refusal's ``page`` gives them. Titles and sentences may come from outside:
nothing of them becomes markup.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final, Protocol, TypeAlias

Page: TypeAlias = "tuple[bytes, bytes]"


class ReasonedPage(Protocol):
    """A page that says why something was refused, whose words may stand on another page as well."""

    @property
    def told(self) -> Mapping[str, str]:
        """Its words: ``reason``, ``url``, ``list`` and ``rule``. They may come from outside."""

    def __call__(self, html: bool) -> Page:
        """Content type and body."""


HTML_TYPE: Final = b"text/html; charset=utf-8"
TEXT_TYPE: Final = b"text/plain; charset=utf-8"


def page(html: bool, title: str, *sentences: str) -> Page:
    """A page that says a few sentences below a title."""
    if html:
        return html_page(title, "".join(f"<p>{escape(sentence)}</p>\n" for sentence in sentences))
    return text_page(title, *sentences)


def text_page(*lines: str) -> Page:
    """A page of plain text."""
    return TEXT_TYPE, "".join(f"{line}\n" for line in lines).encode()


def html_page(title: str, body: str, head: str = "") -> Page:
    """A page with ``body``, and more for its ``head``, both of which are markup."""
    title = escape(title)
    text = f'<!DOCTYPE html>\n<html lang="en">\n<title>{title}</title>\n{head}<h1>{title}</h1>\n{body}</html>\n'
    return HTML_TYPE, text.encode()
