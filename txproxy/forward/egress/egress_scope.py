"""What tells apart forward proxies that one cache is for: by which way, and how far, requests go from each.

What is kept of one that reaches an intranet, or asks a parent or from an address that is let in there, is not for
clients of one that does not. Who is let in by access rules is another matter: these are asked before the cache is.
"""

from __future__ import annotations

from hashlib import blake2b

from txproxy.forward.parents.parent_urls import ParentUrls
from txproxy.forward.parents.selection import Parents
from txproxy.forward.policy import ForwardPolicy
from txproxy.interfaces.middleware import FORWARD


def egress_scope(policy: ForwardPolicy) -> str:
    """The scope of what is fetched by a ``policy`` (:class:`txproxy.interfaces.IComposedMiddleware`). That of all that
    reach what is public, straight from here, is the same.
    """
    chosen = policy.choose_parent
    ways = (
        sorted(policy.allow_destinations),
        _parents(policy.parents),
        (chosen.__module__, getattr(chosen, "__qualname__", "")) if chosen is not None else "",
        sorted(policy.no_proxy) if policy.parents is not None or chosen is not None else [],
        policy.bind,
        [repr(one) for one in policy.binds],
        # It adds to requests, and dials others for some hosts.
        sorted(policy.safe_search),
    )
    if not any(ways):
        return FORWARD
    # There may be passwords in it.
    return f"{FORWARD} {blake2b(repr(ways).encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"


def _parents(parents: Parents | ParentUrls | None) -> list[object]:
    if parents is None:
        return []
    if isinstance(parents, ParentUrls):
        return list(parents.urls)
    return [(one.name, one.lines, [str(pattern) for pattern in one.patterns], one.rules) for one in parents]
