"""What is said where code fails that a configuration names: in full once, and never to a client."""

from __future__ import annotations

from typing import Final

from twisted.logger import Logger
from twisted.python.failure import Failure

from txproxy.components.named_code import place_of
from txproxy.errors import ExchangeError

_log = Logger()
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


class CodeFaults:
    """Those of what is called ``name``, in the place of ``kind`` (``before``, ``strategy``, ...)."""

    __slots__ = ("_what", "_said")

    def __init__(self, kind: str, name: str) -> None:
        self._what = f"{kind} {name}"
        self._said: set[str] = set()

    def failed(self, failure: Failure | None = None) -> CodeFailed:
        """It has raised what is being handled, or this ``failure``. Gives what a request ends with."""
        failure = failure or Failure()
        fault = failure.value
        assert fault is not None, "a failure is one of something"
        place = place_of(fault) or "an unknown place"
        return self._tell(f"{type(fault).__name__} at {place}", failure)

    def wrong(self, given: object, accepted: str) -> CodeFailed:
        """It has given what it may not."""
        return self._tell(f"it gives {type(given).__name__}; accepted is {accepted}")

    def said(self, text: str) -> None:
        """Something is wrong with what it gives; said once."""
        self._tell(text)

    def _tell(self, said: str, failure: Failure | None = None) -> CodeFailed:
        """Say it in full once; of what follows a request has its own line, among those of other faults."""
        if said not in self._said and len(self._said) < _MOST_KINDS:
            self._said.add(said)
            if failure is None:
                _log.error("{what}: {said}", what=self._what, said=said)
            else:
                _log.failure("{what}: {said}", failure, what=self._what, said=said)
        return CodeFailed(f"{self._what}: {said}")
