"""The files of the console. There is nothing secret in them: all that the page shows it asks for with the token."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from txproxy.admin.api_call import ApiCall, ApiFault, Text
from txproxy.admin.api_paths import Verb
from txproxy.admin.merging import BY_MASTER
from txproxy.components.values import shown

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_FIELDS: Final = (
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)


def page_verbs() -> list[Verb]:
    """The page, and what it is made of; for anybody, as a browser has no token before the page has asked for it."""
    return [
        Verb("GET", "/", lambda call: _file("index.html"), open=True, merge=BY_MASTER),
        Verb("GET", "/console/{file}", _named, open=True, merge=BY_MASTER),
    ]


def _named(call: ApiCall) -> Text:
    (name,) = call.names
    if name not in _names():
        raise ApiFault(404, f"there is no file {shown(name)} of the console")
    return _file(name)


@cache
def _names() -> frozenset[str]:
    folder = files("txproxy.admin.console").joinpath("static")
    return frozenset(entry.name for entry in folder.iterdir() if entry.name.rpartition(".")[2] in _TYPES)


@cache
def _file(name: str) -> Text:
    text = files("txproxy.admin.console").joinpath("static", name).read_text("utf-8")
    return Text(_TYPES[name.rpartition(".")[2]], text, _FIELDS)
