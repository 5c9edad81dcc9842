"""The live objects of a policy, each of which may outlive it: where its piece of the next policy is the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import attrs

from txproxy.auth.auth_policy import AuthPolicy, make_authenticator
from txproxy.auth.authenticator import Authenticator
from txproxy.auth.shared_logins import SharedLogins
from txproxy.forward.blocklists.filtering import Filters, ListFile
from txproxy.forward.parents.parent_urls import ParentUrls
from txproxy.forward.parents.selection import Parents
from txproxy.forward.policy import ForwardPolicy
from txproxy.forward.policy_files import FileWatch, Look, in_threads

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class PolicyParts:
    """What was made of the pieces of ``policy``: who knows users, remembers logins and counts those that failed, and
    what of that several processes share; lists; and parents, which know how they fare.
    """

    policy: ForwardPolicy
    authenticator: Authenticator | None
    logins: SharedLogins | None
    filters: Filters
    lists: Filters
    parents: Parents | None

    def check_files(self) -> None:
        """Read all that has changed, now."""
        for filters in (self.filters, self.lists):
            filters.check()
        if self.authenticator is not None:
            self.authenticator.check_files()

    def watch(self, reactor: Any) -> FileWatch:
        """Looks whether the files of lists and users have changed, once it is started."""
        run = in_threads(reactor)
        looks: list[Look] = []
        for filters in (self.filters, self.lists):
            if filters.lists:
                looks.append(partial(filters.check_by, run))
        authenticator = self.authenticator
        if authenticator is not None and authenticator.has_files:
            looks.append(partial(_check_users, authenticator))
        return FileWatch(reactor, looks)


async def _check_users(authenticator: Authenticator) -> None:
    authenticator.check_files()


def make_parts(policy: ForwardPolicy, reactor: Any, before: Sequence[PolicyParts] = ()) -> PolicyParts:
    """The parts of ``policy``. Where one of those ``before`` has the same piece, its object is kept."""

    def kept(piece: str, part: str, make: Callable[[], T]) -> T:
        wanted = getattr(policy, piece)
        for parts in before:
            if getattr(parts.policy, piece) == wanted:
                found: T = getattr(parts, part)
                return found
        return make()

    authenticator = kept("auth", "authenticator", lambda: _authenticator(policy.auth, reactor))
    shared = SharedLogins(authenticator, reactor) if authenticator is not None else None
    return PolicyParts(
        policy=policy,
        authenticator=authenticator,
        logins=kept("auth", "logins", lambda: shared),
        filters=kept("filters", "filters", lambda: _filters(policy.filters)),
        lists=kept("lists", "lists", lambda: _filters(policy.lists)),
        parents=kept("parents", "parents", lambda: _parents(policy.parents)),
    )


def _authenticator(given: AuthPolicy | None, reactor: Any) -> Authenticator | None:
    return make_authenticator(given, reactor) if given is not None else None


def _filters(given: Filters | tuple[ListFile, ...]) -> Filters:
    return given if isinstance(given, Filters) else Filters(given)


def _parents(given: Parents | ParentUrls | None) -> Parents | None:
    return given.made() if isinstance(given, ParentUrls) else given
