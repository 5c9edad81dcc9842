"""What a client is told that policy refused: a page for people, plain text for programs."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

import attrs

from txproxy.interfaces.pages import Page, html_page, page, text_page

_HEAD: Final = """\
<meta name="viewport" content="width=device-width">
<style>body { font: 1rem/1.5 sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem }
dd { margin: 0 0 1rem; overflow-wrap: anywhere }</style>
"""

_GREETING: Final = (
    "This is an HTTP proxy, and no web site.",
    "Enter its address and port as HTTP proxy in the settings of a browser or program, and open web sites as usual.",
    "For example: curl --proxy http://THIS-HOST:PORT http://example.com/",
)

# A URL may be as long as a head; nobody reads the rest.
_LONGEST: Final = 500


def greeting_page(html: bool) -> Page:
    """Content type and body for who opens the proxy's own address in a browser."""
    return page(html, *_GREETING)


@attrs.frozen
class BlockPage:
    """Why policy refuses a request: see :class:`txproxy.interfaces.pages.ReasonedPage`."""

    reason: str
    url: str
    list_name: str = ""
    rule: str = ""

    def __call__(self, html: bool = False) -> Page:
        """Content type and body."""
        return block_page(self.reason, self.url, self.list_name, html)

    @property
    def told(self) -> Mapping[str, str]:
        """Its words."""
        words = {"reason": self.reason, "url": self.url, "list": self.list_name, "rule": self.rule}
        return {name: _shown(text) for name, text in words.items()}


def block_page(reason: str, url: str, list_name: str = "", html: bool = False) -> Page:
    """Content type and body that say why a request was refused: the ``reason`` as a sentence, its ``url`` (or
    ``host:port`` of a tunnel), and the list that it is on, if it is on one. Nothing of it can become markup, or a line
    of its own.
    """
    entries = [("Address", url), ("Reason", reason), ("List", list_name)]
    told = [(name, _shown(text)) for name, text in entries if text]
    if html:
        lines = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>\n" for name, text in told)
        return html_page("Blocked", f"<p>This proxy does not allow the request.</p>\n<dl>\n{lines}</dl>\n", _HEAD)
    lines_of_text = (f"{name}: {text}" for name, text in told)
    return text_page("Blocked: this proxy does not allow the request.", *lines_of_text)


def _shown(text: str) -> str:
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "..."
    # Also surrogates, which no encoding takes.
    return "".join(character if character.isprintable() else "?" for character in text)
