"""What all workers of a configuration must have alike, where it says nothing of its own: keys and marks."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import attrs

from txproxy.auth.auth_policy import AuthPolicy
from txproxy.config.model import AnyListener, Config, ForwardListener, PoolConfig, ReverseListener
from txproxy.reverse.challenge.challenge_settings import ChallengeSettings
from txproxy.reverse.site_login import SiteLogin

_MARK_SIZE = 6


def with_shared_keys(config: Config, secret: bytes) -> Config:
    """``config`` with keys that come of ``secret``: who has a cookie or nonce of one worker is known to the others, and
    a request that comes around by another worker is known as one that runs in a circle.

    The same secret gives the same keys, so that what has not changed in a configuration is still equal.
    """

    def key(purpose: str) -> bytes:
        return hmac.digest(secret, purpose.encode(), hashlib.sha256)

    return attrs.evolve(
        config,
        pools=tuple(_pool(pool, key) for pool in config.pools),
        challenge=_challenge(config.challenge, key),
        routes=tuple(attrs.evolve(route, login=_login(route.login, key)) for route in config.routes),
        listeners=tuple(_listener(listener, number, key) for number, listener in enumerate(config.listeners)),
    )


def _pool(pool: PoolConfig, key: Callable[[str], bytes]) -> PoolConfig:
    if pool.sticky_key is not None:
        return pool
    return attrs.evolve(pool, sticky_key=key(f"sticky {pool.name}"))


def _challenge(challenge: ChallengeSettings, key: Callable[[str], bytes]) -> ChallengeSettings:
    return challenge if challenge.secret is not None else attrs.evolve(challenge, secret=key("challenge"))


def _login(login: SiteLogin | None, key: Callable[[str], bytes]) -> SiteLogin | None:
    return attrs.evolve(login, policy=_auth(login.policy, key)) if login is not None else None


def _auth(auth: AuthPolicy, key: Callable[[str], bytes]) -> AuthPolicy:
    logins = auth.login_secret or key(f"logins {auth.realm}")
    nonces = auth.digest_secret or (key(f"digest {auth.realm}") if auth.digest_file is not None else b"")
    return attrs.evolve(auth, login_secret=logins, digest_secret=nonces)


def _listener(listener: AnyListener, number: int, key: Callable[[str], bytes]) -> AnyListener:
    # Each listener is a proxy of its own, and one may send to another.
    mark = key(f"via {number} {listener.name}")[:_MARK_SIZE].hex()
    if isinstance(listener, ReverseListener):
        return attrs.evolve(listener, via_mark=listener.via_mark or mark, login=_login(listener.login, key))
    if not isinstance(listener, ForwardListener):
        return listener
    policy = listener.policy
    auth = policy.auth
    if isinstance(auth, AuthPolicy):
        policy = attrs.evolve(policy, auth=_auth(auth, key))
    if policy.via_mark is None:
        policy = attrs.evolve(policy, via_mark=mark)
    return attrs.evolve(listener, policy=policy)
