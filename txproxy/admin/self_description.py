"""What the admin API says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from txproxy.admin.api_call import JSON, ApiCall, Text
from txproxy.admin.api_paths import Verb
from txproxy.admin.merging import BY_MASTER

_HERE = "/api/openapi.json"


def self_description(verbs: Sequence[Verb]) -> list[Verb]:
    """What there is besides these ``verbs``: a list of them all, and a description for programs that make clients."""
    own = [
        Verb("GET", "/api/", lambda call: _paths([*verbs, *own]), merge=BY_MASTER),
        Verb("GET", _HERE, _described, merge=BY_MASTER),
    ]
    return own


def _paths(verbs: Sequence[Verb]) -> dict[str, object]:
    found: dict[str, list[str]] = {}
    for verb in verbs:
        found.setdefault(verb.path, []).append(verb.method)
    return {"openapi": _HERE, "paths": found}


def _described(call: ApiCall) -> Text:
    return Text(JSON, _file())


@cache
def _file() -> str:
    return files("txproxy.admin").joinpath("openapi.json").read_text("ascii")
