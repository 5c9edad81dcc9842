"""What a file, a rule or a route says of caching: not at all, or otherwise than what is usual."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from txproxy.cache.policy import CachePolicy
from txproxy.components.values import hint
from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.plain_values import PlainValue

# What of a policy is otherwise, by the names of its attributes, in their order.
Changes: TypeAlias = "tuple[tuple[str, Any], ...]"

POLICY_KEYS: Final = tuple(field.name for field in attrs.fields(CachePolicy) if field.init)


def policy_changes(given: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> Changes:
    """``given``, if a policy can be so; ``ConfigError`` with the paths of what is wrong."""
    changes = dict(given)
    for key in changes:
        if key not in POLICY_KEYS:
            raise ConfigError(f"no such key{hint(key, POLICY_KEYS)}", f"accepted: {', '.join(POLICY_KEYS)}", (key,))
    # Two that mean the same are to be equal, so that they are kept as the policy has them.
    policy = CachePolicy(**changes)
    return tuple((key, getattr(policy, key)) for key in POLICY_KEYS if key in changes)


def changed(policy: CachePolicy, changes: Changes) -> CachePolicy:
    """``policy`` with these."""
    return attrs.evolve(policy, **dict(changes)) if changes else policy


@frozen
class CacheChoice(PlainValue):
    """Whether something is ``cached``, and then with which ``changes`` of the policy."""

    cached: bool = True
    changes: Changes = attrs.field(default=(), converter=policy_changes)

    @classmethod
    def read(cls, value: CacheChoice | Mapping[str, Any] | bool | None) -> CacheChoice | None:
        """From what programs write: False, or a mapping of what is otherwise; None says nothing."""
        if value is None or isinstance(value, CacheChoice):
            return value
        if isinstance(value, bool):
            return cls(value)
        if not isinstance(value, Mapping):
            raise ConfigError(f"{value!r} says nothing of caching", "accepted: false, true, { KEY = VALUE }")
        return cls(True, value)

    def policy(self, usual: CachePolicy) -> CachePolicy | None:
        """The policy, where ``usual`` is that of the file; None for what is not cached."""
        return changed(usual, self.changes) if self.cached else None
