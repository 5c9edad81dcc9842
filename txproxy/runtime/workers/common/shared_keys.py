"""What all workers of a configuration must have alike, where it says nothing of its own: keys and marks."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import attrs

from txproxy.auth.auth_policy import AuthPolicy
from txproxy.config.model import AnyListener, Config, ForwardListener, PoolConfig, ReverseListener
from txproxy.reverse.challenge.challenge_settings import ChallengeSettings

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
        listeners=tuple(_listener(listener, number, key) for number, listener in enumerate(config.listeners)),
    )


def _pool(pool: PoolConfig, key: Callable[[str], bytes]) -> PoolConfig:
    if pool.sticky_key is not None:
        return pool
    return attrs.evolve(pool, sticky_key=key(f"sticky {pool.name}"))


def _challenge(challenge: ChallengeSettings, key: Callable[[str], bytes]) -> ChallengeSettings:
    return challenge if challenge.secret is not None else attrs.evolve(challenge, secret=key("challenge"))


def _listener(listener: AnyListener, number: int, key: Callable[[str], bytes]) -> AnyListener:
    # Each listener is a proxy of its own, and one may send to another.
    mark = key(f"via {number} {listener.name}")[:_MARK_SIZE].hex()
    if isinstance(listener, ReverseListener):
        return listener if listener.via_mark is not None else attrs.evolve(listener, via_mark=mark)
    if not isinstance(listener, ForwardListener):
        return listener
    policy = listener.policy
    auth = policy.auth
    if isinstance(auth, AuthPolicy):
        logins = auth.login_secret or key(f"logins {auth.realm}")
        nonces = auth.digest_secret or (key(f"digest {auth.realm}") if auth.digest_file is not None else b"")
        policy = attrs.evolve(policy, auth=attrs.evolve(auth, login_secret=logins, digest_secret=nonces))
    if policy.via_mark is None:
        policy = attrs.evolve(policy, via_mark=mark)
    return attrs.evolve(listener, policy=policy)
