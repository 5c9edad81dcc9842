"""The keys of requests at one handler: what its responses stand under, by all that may change them."""

from __future__ import annotations

from typing import Final

from txproxy.cache.device_class import policy_class
from txproxy.cache.keys import cache_key, key_parts, not_with_a_fill, sent_authority, sent_path
from txproxy.cache.policy import CachePolicy
from txproxy.interfaces.context import RequestContext
from txproxy.proxy.caching.asking import Asking
from txproxy.wire.forwarding import plain, replaced
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

_TOLD: Final = frozenset({b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-proto"})


class RequestKeys:
    """Those of the ``scope`` of one handler. ``rules`` are the names of the routes or rules by which anything may be
    stored.
    """

    __slots__ = ("rules", "_scope")

    def __init__(self, scope: str, rules: set[str]) -> None:
        self.rules = rules
        self._scope = scope

    def all(self, request: RequestHead, context: RequestContext, policy: CachePolicy, path: bytes) -> list[bytes]:
        """All that ``path`` may stand under, whatever route or rule has led to it."""
        return [self.key(request, context, policy, path, rule) for rule in {*self.rules, context.rule}]

    def key(
        self, request: RequestHead, context: RequestContext, policy: CachePolicy, path: bytes, rule: str | None = None
    ) -> bytes:
        """What ``path`` stands under, by the route or rule that has led to it, or by ``rule``."""
        scheme = request.scheme or context.scheme.encode("ascii")
        rule = context.rule if rule is None else rule
        scope = f"{self._scope}\0{rule}" if rule else self._scope
        parts = key_parts(policy, request.headers)
        if request.kept and sent_authority(scheme, request.authority) != request.authority.lower():
            # What a route has set may have the host as it was spelt.
            parts += b"%d|%b" % (len(request.authority), request.authority.lower())
        if context.lines is not None:
            # What upstreams are told of the host and the port may be what they answer with.
            told = [line for line in context.lines if line.partition(b":")[0].lower() in _TOLD]
            parts += b"".join([b"%d;%b" % (len(line), line) for line in told])
        return cache_key(scheme, request.authority, path, scope.encode("utf-8"), parts)


def told_device(request: RequestHead, context: RequestContext, policy: CachePolicy) -> RequestHead:
    """The request with the class of its device, if a ``policy`` has servers told it: in the place of all that the
    client has said there.
    """
    device, name = policy_class(policy, request.headers), policy.device_field
    if context.trace is not None:
        context.trace.say("device class", device.decode("ascii"))
    if not name:
        return request
    line = b"%b: %b" % (name, device)
    headers = replaced(request.headers, frozenset({plain(name)}), frozenset({name.lower()}), [line])
    return request.with_fields(headers, request.path)


def keyed_request(asking: Asking, lines: list[bytes], added: list[bytes]) -> RequestHead:
    """The request with these ``lines`` of its own, without what may change the response and is in no key; and with the
    ``added`` ones.
    """
    request = asking.request
    lines = not_with_a_fill(lines, request.kept)
    head = request.with_fields(Headers.parsed(lines + added), request.path)
    if request.authority:
        # An origin may tell apart what is one host here.
        scheme = request.scheme or asking.context.scheme.encode("ascii")
        head.authority = sent_authority(scheme, request.authority)
    return head


def may_fill(asking: Asking) -> bool:
    """Whether nothing is in a request, which goes as it is, that is in no key: what comes is what others get."""
    request, policy = asking.request, asking.policy
    lines = request.headers.lines
    return (
        policy.min_uses == 1
        and request.upgrade is None
        and sent_path(policy, request.path) == request.path
        and sent_authority(asking.scheme, request.authority) == request.authority
        and len(not_with_a_fill(lines, request.kept)) == len(lines)
    )
