"""The page that a browser gets in place of what it has asked for, and its script."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Final
from urllib.parse import urlencode

PREFIX: Final = "/.well-known/txproxy-challenge/"
SCRIPT_PATH: Final = PREFIX + "solve.js"
ANSWER_PATH: Final = PREFIX + "answer"

_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;display:grid;place-content:center;"
    "min-height:90vh;margin:0 1.5rem}main{max-width:30rem}button{font:inherit;padding:.4rem 1rem}"
)
_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode("ascii")
# There is nothing inline but the style. form-action is left open: it would hold for what a site redirects to as well.
LINES: Final = (
    b"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'sha256-%b'; base-uri 'none'; "
    b"frame-ancestors 'none'" % _HASH.encode("ascii"),
    b"X-Content-Type-Options: nosniff",
    b"X-Robots-Tag: noindex",
    b"Referrer-Policy: same-origin",
)
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>One moment</title>
<style>{style}</style>
<script src="{script}" defer></script>
{refresh}</head>
<body>
<main>
<h1>One moment</h1>
<p id="say" role="status">This site wants to see that a browser asks. It goes on by itself.</p>
<form id="challenge" action="{answer}" method="get">
<input type="hidden" name="question" value="{question}">
<input type="hidden" name="number" value="">
<input type="hidden" name="to" value="{to}">
<noscript>{plain}</noscript>
</form>
</main>
</body>
</html>
"""
_REFRESH: Final = '<noscript><meta http-equiv="refresh" content="{seconds};url={url}"></noscript>\n'
_PLAIN: Final = (
    "<p>Without JavaScript it takes {seconds} seconds. If nothing happens after that, press:</p>"
    '<p><button type="submit">Go on</button></p>'
)
_NO_PLAIN: Final = "<p>It needs JavaScript for that.</p>"


def page(question: str, to: str, wait: float) -> bytes:
    """The page of a ``question``, which goes on to ``to``: without JavaScript after ``wait`` seconds, unless 0."""
    refresh, plain = "", _NO_PLAIN
    if wait:
        # One second more: both are rounded.
        seconds = int(wait) + 1
        url = f"{ANSWER_PATH}?{urlencode({'question': question, 'number': '', 'to': to})}"
        refresh = _REFRESH.format(seconds=seconds, url=escape(url))
        plain = _PLAIN.format(seconds=seconds)
    text = _PAGE.format(
        style=_STYLE,
        script=SCRIPT_PATH,
        refresh=refresh,
        answer=ANSWER_PATH,
        question=escape(question),
        to=escape(to),
        plain=plain,
    )
    return text.encode("utf-8")
