"""What routes can ask of a request, for what nginx has in variables."""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

import attrs

from txproxy.importers.nginx.syntax.path_expressions import path_expression
from txproxy.importers.notes import Untranslatable

Table: TypeAlias = "dict[str, Any]"

# The path has to match an expression as well; for who puts paths and conditions together.
PATH: Final = "~path"
# A value that counts as true.
SOME: Final = "~(?!0$).+"
# The beginning of a path, and whatever follows it.
_BEGINNING: Final = re.compile(r"~(?:\(\?i\))?/(?:[\w/~-]|\\[.-])*\.\*", re.ASCII)


@attrs.frozen
class Condition:
    """Holds where one of the ``alternatives`` does, or, if ``negated``, where none does. One that is known before a
    request comes has an alternative without a condition, or none at all.
    """

    alternatives: tuple[Table, ...]
    negated: bool = False

    @property
    def known(self) -> bool | None:
        """Whether it holds for all requests, or for none; None if that depends on them."""
        if not self.alternatives:
            return self.negated
        return not self.negated if {} in self.alternatives else None


def condition_on(name: str, wanted: str, ignore_case: bool = False) -> Table:
    """What a route asks of a variable: a value, or an expression for all of it after ``~``; ``Untranslatable`` if
    routes do not know it. The case of a value may not count.
    """
    is_value = not wanted.startswith("~")
    if ignore_case and is_value and wanted.lower() != wanted.upper():
        return _in_any_case(name, wanted)
    kind, _, rest = name.partition("_")
    if name == "request_method":
        return {"methods": _methods(wanted)}
    if name in ("host", "http_host"):
        return {"hosts": [wanted.lower() if not wanted.startswith("~") else wanted]}
    if kind == "http" and rest:
        return {"headers": {rest.replace("_", "-"): wanted}}
    if kind == "arg" and rest:
        return {"query": {rest: wanted}}
    if kind == "cookie" and rest:
        return {"headers": {"cookie": _cookie(rest, wanted)}}
    if name == "remote_addr" and not wanted.startswith("~"):
        return {"clients": [wanted]}
    if name in ("uri", "document_uri"):
        return {PATH: path_expression(re.escape(wanted) if is_value else wanted[1:])}
    if name == "request_uri":
        # It has the query too, and escapes as the client wrote them.
        if _BEGINNING.fullmatch(wanted) is None:
            raise Untranslatable("of $request_uri the beginning of its path alone (^/x) is a condition here")
        return {PATH: wanted[1:]}
    raise Untranslatable(f"${name} is no condition here")


def _in_any_case(name: str, wanted: str) -> Table:
    if name == "request_method":
        return condition_on(name, wanted.upper())
    if name in ("host", "http_host", "remote_addr"):
        return condition_on(name, wanted.lower())
    if name.startswith("cookie_"):
        return {"headers": {"cookie": _cookie(name.removeprefix("cookie_"), wanted, True)}}
    return condition_on(name, f"~(?i){re.escape(wanted)}")


def _methods(wanted: str) -> list[str]:
    if not wanted.startswith("~"):
        return [wanted]
    found = re.fullmatch(r"~\(?(?:\?:)?([A-Z|]+)\)?", wanted)
    if found is None:
        raise Untranslatable("methods have to be named")
    return [name for name in found[1].split("|") if name]


def _cookie(name: str, wanted: str, ignore_case: bool = False) -> str:
    """An expression for the whole field, or several of them with commas between: the name counts in any case, and
    spaces stand around what separates.
    """
    if wanted == "~.+":
        value = "[^;, ][^;,]*"
    elif wanted == SOME:
        value = "(?!0 *(?:[;,]|$))[^;, ][^;,]*"
    elif wanted.startswith("~"):
        raise Untranslatable("an expression for a cookie is no condition here")
    else:
        value = f"(?i:{re.escape(wanted)})" if ignore_case else re.escape(wanted)
    return f"~(?:.*[;,])? *(?i:{re.escape(name)}) *= *{value} *(?:[;,].*)?"
