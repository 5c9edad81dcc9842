"""Who knows the users of sites, alive: what is remembered of them stays where a reload changes nothing of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from txproxy.components.outside_text import identity
from txproxy.config.model import Config, ReverseListener, RouteConfig
from txproxy.errors import ConfigError, Path
from txproxy.interfaces.processes.sharing import Shared

# Sites that are for all do without.
if TYPE_CHECKING:
    from txproxy.auth.auth_policy import AuthPolicy
    from txproxy.auth.authenticator import Authenticator
    from txproxy.auth.shared_logins import SharedLogins
    from txproxy.reverse.site_login import LoginRequired, SiteLogin


class LiveLogins:
    """Those of a ``config``; who is known in it as ``before`` is known by the same authenticator, with all that this
    remembers. A file that has become unreadable since the configuration was read is a ``ConfigError``. ``clock`` is the
    reactor.
    """

    def __init__(self, config: Config, clock: Any, before: LiveLogins | None = None) -> None:
        self._clock = clock
        known: Mapping[AuthPolicy, Authenticator] = before._authenticators if before is not None else {}
        shared: Mapping[AuthPolicy, SharedLogins] = before._shared if before is not None else {}
        self._authenticators: dict[AuthPolicy, Authenticator] = {}
        self._shared: dict[AuthPolicy, SharedLogins] = {}
        for path, login in _of_config(config):
            from txproxy.auth.auth_policy import make_authenticator
            from txproxy.auth.credentials import SITE
            from txproxy.auth.shared_logins import SharedLogins

            policy = login.policy
            if policy in self._authenticators:
                continue
            try:
                made = known.get(policy) or make_authenticator(policy, clock, fields=SITE)
            except ConfigError as fault:
                raise fault.at(*path) from None
            self._authenticators[policy] = made
            self._shared[policy] = shared.get(policy) or SharedLogins(made, clock)

    def basis(self, login: SiteLogin | None) -> object:
        """All that one goes by."""
        return (login, self._authenticators[login.policy]) if login is not None else None

    def required(self, login: SiteLogin) -> LoginRequired:
        """What stands around what is for those who log in."""
        from txproxy.reverse.site_login import LoginRequired

        return LoginRequired(login, self._authenticators[login.policy], self._clock.seconds)

    @property
    def shared(self) -> Mapping[str, Shared]:
        """What several processes know together, each by a topic of its own, which is the same in all of them."""
        found: dict[str, Shared] = {}
        for policy, one in self._shared.items():
            digest = blake2b(identity(policy).encode(), digest_size=16).hexdigest()
            found[f"site logins {digest}"] = one
            found[f"site logins under way {digest}"] = one.under_way
        return found

    def check_files(self) -> None:
        """Read all that has changed, now."""
        for authenticator in self._authenticators.values():
            authenticator.check_files()

    def close(self, but: LiveLogins | None = None) -> None:
        """End the threads that hash passwords, of all that are in no other."""
        kept = but._authenticators if but is not None else {}
        for policy, authenticator in self._authenticators.items():
            if policy not in kept:
                authenticator.close()


def _of_config(config: Config) -> Iterator[tuple[Path, SiteLogin]]:
    """All of them, each with its path."""
    for number, listener in enumerate(config.listeners):
        if isinstance(listener, ReverseListener) and listener.login is not None:
            yield ("listeners", number, "login"), listener.login
    for number, route in enumerate(config.routes):
        if route.login is not None:
            yield ("routes", number, "login"), route.login


def login_of(listener: ReverseListener, route: RouteConfig | None) -> SiteLogin | None:
    """What is asked for at a route, or where none matches: its own, or else that of its listener."""
    if route is None or (route.login is None and not route.open_to_all):
        return listener.login
    return route.login
