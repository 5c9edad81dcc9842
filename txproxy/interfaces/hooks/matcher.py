"""Code that a configuration names, and that says whether a request is one that is meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from txproxy.components.named_code import NamedCode, check_call, find_code
from txproxy.errors import ConfigError
from txproxy.interfaces.hooks.code_faults import CodeFaults
from txproxy.interfaces.hooks.request_view import Request

_ACCEPTED: Final = "accepted is a function of a request that gives true or false, matches(request)"


def find_matcher(code: NamedCode) -> Callable[..., Any]:
    """The function; ``ConfigError`` if there is none."""
    found: Any = find_code(code, "function")
    if isinstance(found, type) or not callable(found):
        raise ConfigError(f"{code.name!r} is no function", _ACCEPTED)
    check_call(code, found, 1, _ACCEPTED)
    function: Callable[..., Any] = found
    return function


class Matcher:
    """Those of one name and settings are the same. The function is found when it is first asked for, so that a
    configuration can be read where no code of others is to be run.
    """

    __slots__ = ("code", "_function", "_faults")

    def __init__(self, code: NamedCode) -> None:
        self.code = code
        self._function: Callable[..., Any] | None = None
        self._faults = CodeFaults("matches", code.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Matcher) and self.code == other.code

    def __hash__(self) -> int:
        return hash(self.code)

    def __str__(self) -> str:
        return str(self.code)

    def holds(self, request: Request) -> bool:
        """Whether the request is one. Where the code fails, the request does: who cannot say is no reason to let it
        through, or not.
        """
        if self._function is None:
            self._function = find_matcher(self.code)
        try:
            found = self._function(request, **self.code.settings)
        except Exception:
            raise self._faults.failed() from None
        if found is True or found is False:
            return found
        if hasattr(found, "close"):
            # A coroutine that nobody will await.
            found.close()
        raise self._faults.wrong(found, "True or False, at once")
