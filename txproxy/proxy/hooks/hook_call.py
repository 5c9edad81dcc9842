"""One short function of somebody's, called: what it gives, when, and what is said where it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import attrs
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure

from txproxy.components.named_code import place_of
from txproxy.errors import ExchangeError
from txproxy.proxy.hooks.awaiting import coming

_log = Logger()
_CANCELLED: Final = (CancelledError, asyncio.CancelledError)
# so many kinds of faults are told apart
_MOST_KINDS: Final = 100


class CodeFailed(ExchangeError):
    """Code that a configuration names has failed. Its client is told nothing of it."""

    status = 500
    error = "proxy_internal_error"


class CodeLate(CodeFailed):
    """It has taken too long."""

    status = 504
    sentence = "The proxy took too long to decide."


@attrs.define(eq=False)
class Hook:
    """A ``function`` that a configuration calls ``name``, in the place of ``kind`` (``before``, ``after``), with its
    ``settings``. What it waits for may take ``timeout`` seconds.
    """

    kind: str
    name: str
    function: Callable[..., Any]
    clock: Any
    settings: dict[str, Any] = attrs.field(factory=dict)
    timeout: float = 10.0
    _said: set[str] = attrs.field(factory=set, init=False)

    def call(self, *given: Any) -> Any:
        """What it gives, or a Deferred of that; ``CodeFailed`` where it fails."""
        try:
            found = self.function(*given, **self.settings)
        except ExchangeError:
            raise
        except Exception as fault:
            raise self._failed(fault, Failure()) from None
        if found is None:
            return None
        later = coming(found)
        if later is None:
            return found
        if not later.called:
            # Who has nothing to wait for is not timed.
            later.addTimeout(self.timeout, self.clock, self._late)
        later.addErrback(self._failed_later)
        return later

    def wrong(self, given: object, accepted: str) -> CodeFailed:
        """It has given what it may not."""
        return self._tell("result", f"it gives {type(given).__name__}; accepted is {accepted}")

    def _late(self, result: Any, timeout: float) -> Any:
        if isinstance(result, Failure) and result.check(*_CANCELLED):
            raise CodeLate(f"{self.kind} {self.name} took longer than {timeout:g} s")
        return result

    def _failed_later(self, failure: Failure) -> Any:
        fault = failure.value
        if isinstance(fault, ExchangeError):
            return failure
        if fault is None or isinstance(fault, _CANCELLED):
            # The client has left.
            raise CancelledError
        raise self._failed(fault, failure) from None

    def _failed(self, fault: BaseException, failure: Failure) -> CodeFailed:
        place = place_of(fault) or "an unknown place"
        kind = f"{type(fault).__name__} {place}"
        return self._tell(kind, f"{type(fault).__name__} at {place}", failure)

    def _tell(self, kind: str, said: str, failure: Failure | None = None) -> CodeFailed:
        """Say it in full once; of each that follows there is a line for the request, among those of other faults."""
        if kind not in self._said and len(self._said) < _MOST_KINDS:
            self._said.add(kind)
            if failure is None:
                _log.error("{hook} {name}: {said}", hook=self.kind, name=self.name, said=said)
            else:
                _log.failure("{hook} {name}: {said}", failure, hook=self.kind, name=self.name, said=said)
        return CodeFailed(f"{self.kind} {self.name}: {said}")
