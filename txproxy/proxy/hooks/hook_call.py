"""One short function of somebody's, called: what it gives, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import attrs
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from txproxy.errors import ExchangeError
from txproxy.interfaces.hooks.awaiting import coming
from txproxy.interfaces.hooks.code_faults import CodeFailed, CodeFaults, CodeLate

_CANCELLED: Final = (CancelledError, asyncio.CancelledError)


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
    _faults: CodeFaults = attrs.field(init=False)

    @_faults.default
    def _no_faults(self) -> CodeFaults:
        return CodeFaults(self.kind, self.name)

    def call(self, *given: Any) -> Any:
        """What it gives, or a Deferred of that; ``CodeFailed`` where it fails."""
        try:
            found = self.function(*given, **self.settings)
        except ExchangeError:
            raise
        except Exception:
            raise self._faults.failed() from None
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
        return self._faults.wrong(given, accepted)

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
        raise self._faults.failed(failure) from None
