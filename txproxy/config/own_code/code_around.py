"""Code that is named for a place in the way of requests: middleware, and short functions."""

from __future__ import annotations

from typing import Final

import attrs

from txproxy.components.named_code import NamedCode, codes
from txproxy.frozen_values import frozen

# in seconds
TIMEOUT: Final = 10.0
INTERVAL: Final = 10.0


@frozen(kw_only=True)
class HookConfig:
    """A short function. What it waits for may take ``timeout`` seconds."""

    code: NamedCode
    timeout: float = TIMEOUT


@frozen(kw_only=True)
class DiscoveryConfig:
    """Code that knows the upstreams of a pool. It is asked each ``interval`` seconds."""

    code: NamedCode
    interval: float = INTERVAL


@frozen(kw_only=True)
class CodeAround:
    """What stands around a route, or what a rule lets through: ``middleware``, the first outermost, and within it what
    is called ``before`` a request goes on, and ``after`` there is a response.
    """

    middleware: tuple[NamedCode, ...] = attrs.field(default=(), converter=codes)
    before: tuple[HookConfig, ...] = ()
    after: tuple[HookConfig, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.middleware or self.before or self.after)


NOTHING_AROUND: Final = CodeAround()
