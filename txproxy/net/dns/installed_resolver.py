"""A resolver that the embedding program has installed in its reactor: whoever did that wants it asked."""

from __future__ import annotations

from typing import Any

from twisted.internet._resolver import GAIResolver
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHostnameResolver, IResolutionReceiver
from zope.interface import implementer


def installed_names(reactor: Any) -> IHostnameResolver | None:
    """The one of ``reactor``; None if it is no more than Twisted's own, which asks the C library in threads that others
    need.
    """
    names: IHostnameResolver | None = getattr(reactor, "nameResolver", None)
    return None if isinstance(names, GAIResolver) else names


def ask_installed(names: IHostnameResolver, name: str) -> Deferred[tuple[str, ...]]:
    """The addresses of ``name``; none if it has none."""
    receiver = _Receiver()
    names.resolveHostName(receiver, name, 0)
    return receiver.done


@implementer(IResolutionReceiver)
class _Receiver:
    """Gathers the addresses of one name."""

    def __init__(self) -> None:
        self._found: list[str] = []
        self._resolution: Any = None
        self.done: Deferred[tuple[str, ...]] = Deferred(self._cancel)

    def _cancel(self, _: object) -> None:
        if self._resolution is not None:
            try:
                self._resolution.cancel()
            except NotImplementedError:
                pass  # it runs to its end, and nobody listens to it any more

    def resolutionBegan(self, resolution: Any) -> None:
        """For Twisted."""
        self._resolution = resolution

    def addressResolved(self, address: Any) -> None:
        """For Twisted."""
        self._found.append(address.host)

    def resolutionComplete(self) -> None:
        """For Twisted."""
        if not self.done.called:
            self.done.callback(tuple(self._found))
