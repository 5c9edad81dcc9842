"""What a client is told that policy refused: a page for people, plain text for programs."""

from __future__ import annotations

from html import escape
from typing import Final

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Blocked</title>
<style>body {{ font: 1rem/1.5 sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem }}
dd {{ margin: 0 0 1rem; overflow-wrap: anywhere }}</style>
<h1>Blocked</h1>
<p>This proxy does not allow the request.</p>
<dl>
{entries}
</dl>
</html>
"""

_GREETING: Final = (
    "This is an HTTP proxy, and no web site.",
    "Enter its address and port as HTTP proxy in the settings of a browser or program, and open web sites as usual.",
    "For example: curl --proxy http://THIS-HOST:PORT http://example.com/",
)

# A URL may be as long as a head; nobody reads the rest.
_LONGEST: Final = 500


def greeting_page(html: bool) -> tuple[bytes, bytes]:
    """Content type and body for who opens the proxy's own address in a browser."""
    if html:
        what, *more = map(escape, _GREETING)
        text = "".join(f"<p>{line}</p>\n" for line in more)
        page = f'<!DOCTYPE html>\n<html lang="en">\n<title>HTTP proxy</title>\n<h1>{what}</h1>\n{text}</html>\n'
        return b"text/html; charset=utf-8", page.encode()
    return b"text/plain; charset=utf-8", "".join(f"{line}\n" for line in _GREETING).encode()


def block_page(reason: str, url: str, list_name: str = "", html: bool = False) -> tuple[bytes, bytes]:
    """Content type and body that say why a request was refused: the ``reason`` as a sentence, its ``url`` (or
    ``host:port`` of a tunnel), and the list that it is on, if it is on one. Nothing of it can become markup, or a line
    of its own.
    """
    entries = [("Address", url), ("Reason", reason), ("List", list_name)]
    told = [(name, _shown(text)) for name, text in entries if text]
    if html:
        lines = "\n".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in told)
        return b"text/html; charset=utf-8", _PAGE.format(entries=lines).encode()
    lines = "\n".join(f"{name}: {text}" for name, text in told)
    return b"text/plain; charset=utf-8", f"Blocked: this proxy does not allow the request.\n{lines}\n".encode()


def _shown(text: str) -> str:
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "..."
    # Also surrogates, which no encoding takes.
    return "".join(character if character.isprintable() else "?" for character in text)
