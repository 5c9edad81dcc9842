"""What each client, user and rule may use, in one place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from txproxy.components.outside_text import identity
from txproxy.interfaces.allowances import Bounds
from txproxy.interfaces.processes.sharing import Shared
from txproxy.limits.quotas import Quota, Quotas
from txproxy.limits.shaping import Bandwidth, Shaping
from txproxy.limits.shared_usage import SharedUsage
from txproxy.limits.usage import IUsage, Usage
from txproxy.matching.clients import IPV6_PREFIX, prefix_length

if TYPE_CHECKING:
    from txproxy.limits.sqlite import SqliteStore


class Allotments:
    """Bandwidths and quotas of one process, for any number of proxies. ``usage`` counts (:class:`IUsage`); without it,
    bytes are counted in memory and, if there is a ``file``, kept in that file of SQLite. An IPv6 network of
    ``ipv6_prefix`` is one client. Of several allotments with one ``file``, each has a ``place`` of its own, such as the
    name of a listener: what is used there counts there. Where they are ``shared``, they are those of several processes
    together (:meth:`shared`).

    ``bounds`` and ``used`` are what a :class:`txproxy.forward.ForwardPolicy` takes as ``bounds`` and ``usage``.
    ``ConfigError`` if the file cannot be used. Call :meth:`stop` when the last proxy has stopped.
    """

    def __init__(
        self,
        clock: Any,
        *,
        bandwidths: Iterable[Bandwidth] = (),
        quotas: Iterable[Quota] = (),
        usage: IUsage | None = None,
        file: str | None = None,
        ipv6_prefix: int = IPV6_PREFIX,
        place: str = "",
        shared: bool = False,
    ) -> None:
        if usage is None:
            usage = (SharedUsage if shared else Usage)(clock, _store(file) if file is not None else None)
        bandwidths = tuple(bandwidths)
        prefix_length(ipv6_prefix)
        self._place = place
        self._usage = usage
        self._bandwidths = bandwidths
        self._shaping = Shaping(bandwidths, clock, ipv6_prefix, shared) if bandwidths else None
        self.quotas = Quotas(quotas, usage, clock, ipv6_prefix=ipv6_prefix, place=place)
        self.used = self.quotas.used

    def bounds(self, client_ip: str, user: str | None, rule: str) -> Bounds:
        """The bounds of an exchange of ``client_ip`` (and ``user``) that ``rule`` has allowed. Raises
        :class:`txproxy.limits.quotas.OverQuota`.
        """
        meter = self.quotas.meter(client_ip, user, rule)
        return Bounds(
            shaper=self._shaping.shaper(client_ip, user, rule) if self._shaping is not None else None, meter=meter
        )

    @property
    def shared(self) -> Mapping[str, Shared]:
        """What is that of several processes, each by a topic of its own, which is the same in all of them."""
        found: dict[str, Shared] = {}
        if self._shaping is not None and self._shaping.shared is not None:
            kinds = blake2b(" ".join(map(identity, self._bandwidths)).encode(), digest_size=16).hexdigest()
            found[f"bandwidth {kinds} {self._place}"] = self._shaping.shared
        if isinstance(self._usage, SharedUsage):
            found[f"used {self._place}"] = self._usage
        return found

    def stop(self) -> Deferred[None]:
        """Nothing is used any more; fires when all that was used is written."""
        return self.quotas.stop()


def _store(file: str) -> SqliteStore:
    # SQLite comes with who keeps something.
    from txproxy.limits.sqlite import SqliteStore

    return SqliteStore(file)
