"""What a forward proxy is told to do, as one frozen value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from txproxy.auth.auth_policy import AuthPolicy
from txproxy.errors import ConfigError
from txproxy.forward.access.client_access import LOOPBACK_CLIENTS
from txproxy.forward.access.conditions.condition_type import Usage
from txproxy.forward.access.content_policy import ContentRules
from txproxy.forward.access.destinations import Destinations
from txproxy.forward.access.rules import Rule, read_rules
from txproxy.forward.blocklists.filtering import Filters, ListFile
from txproxy.forward.egress.approvals import Ask
from txproxy.forward.egress.credentials_injection import Injection
from txproxy.forward.parents.no_proxy import NoProxy
from txproxy.forward.parents.parent import Parent
from txproxy.forward.parents.parent_urls import ParentUrls
from txproxy.forward.parents.selection import Parents
from txproxy.forward.parents.to_parents import ChooseParent
from txproxy.forward.request.privacy import Privacy
from txproxy.forward.request.targets import Bind, bind_address
from txproxy.forward.request.url_rewrites import Rewrite, Rewrites
from txproxy.interfaces.allowances import Bounds
from txproxy.interfaces.record import Audit
from txproxy.matching.hosts import HostPatterns
from txproxy.matching.networks import PeerNetworks
from txproxy.matching.ports import Ports

FORWARDED_FOR_MODES: Final = ("on", "off", "transparent", "delete")


def forwarded_for_mode(text: str) -> str:
    """``text`` if it is a way to treat X-Forwarded-For; else ``ConfigError``."""
    if text not in FORWARDED_FOR_MODES:
        raise ConfigError(f"{text!r} is no way to treat X-Forwarded-For", f"accepted: {', '.join(FORWARDED_FOR_MODES)}")
    return text


def _strings(values: str | Iterable[object]) -> tuple[str, ...]:
    # A text that stands alone is one, not a list of letters: each of these may be a host as well.
    return (values,) if isinstance(values, str) else tuple(str(value) for value in values)


def _bind(value: str) -> str:
    return bind_address(value) if value else ""


def _parents(value: Parents | ParentUrls | Iterable[str | Parent] | None) -> Parents | ParentUrls | None:
    if value is None or isinstance(value, Parents | ParentUrls):
        return value
    given = tuple(value)
    urls = tuple(one for one in given if isinstance(one, str))
    if len(urls) < len(given):
        # Somebody holds one, and wants to know how it fares.
        return Parents(given)
    return ParentUrls(urls) if urls else None


def _auth(value: AuthPolicy | str | None) -> AuthPolicy | None:
    return AuthPolicy(password_file=value) if isinstance(value, str) else value


def _rules(value: Iterable[Rule | Mapping[str, Any]]) -> tuple[Rule, ...]:
    return tuple(one if isinstance(one, Rule) else read_rules([one])[0] for one in value)


def _lists(value: Filters | Mapping[str, str] | Iterable[ListFile | str]) -> Filters | tuple[ListFile, ...]:
    if isinstance(value, Filters):
        return value if value.lists else ()
    if isinstance(value, Mapping):
        return tuple(ListFile(path, name) for name, path in value.items())
    return tuple(ListFile(one) if isinstance(one, str) else one for one in value)


@attrs.frozen(kw_only=True)
class ForwardPolicy:
    """What a forward proxy does, and for whom. Safe as it comes.

    A request passes these in order; the first that says no is the answer.

    - ``allow_clients``: CIDRs of who may use it.
    - ``auth``: who they are; an :class:`~txproxy.forward.AuthPolicy`, or the name of a password
      file. With ``auth_by_rules``, only where a rule asks for a user or group.
    - ``rewrites`` (:class:`~txproxy.forward.Rewrite`) and ``safe_search`` (``google``, ``bing``,
      ...) send requests elsewhere.
    - ``allow_ports``: for requests and CONNECT alike; None stands for 80, 443 and 1024-65535, and 443 for CONNECT.
    - ``deny_hosts``, ``allow_hosts``: patterns (``example.com``, ``*.example.com``, ``.example.com``); None for all.
    - ``filters``: files of block lists (:mod:`txproxy.forward.blocklists.block_list`), read again when they change; or
      a :class:`~txproxy.forward.Filters`, which has read them.
    - ``rules`` (:class:`~txproxy.forward.Rule`): if there are any, what none of them matches is refused.
      ``lists`` are the files of lists that they name, by name; ``usage`` says how many bytes clients have used.
      ``ask`` is asked where a rule asks (see :mod:`txproxy.forward.egress.approvals`), and has ``ask_timeout`` seconds;
      without it, questions wait in ``ForwardMode.approvals``.
    - ``allow_destinations``: CIDRs and host names that may be reached though they are loopback, link-local, private or
      metadata addresses.
    - ``closed``: an address of this machine and a port, such as those of an admin endpoint without a token, that nobody
      reaches whatever is allowed.
    - ``bounds(client_ip, user, rule)``: what each may use (see :class:`txproxy.Allotments`).
    - ``agree_names``: tunnels have to be TLS for the host that they were asked for.
    - ``content``: types and sizes of responses that do not pass.

    What origins learn: ``via`` is a pseudonym in Via, or None, and ``via_mark`` the comment by which loops are
    found, where several processes are to be one proxy (None: this one's own);
    ``forwarded_for`` is ``on``, ``off``, ``transparent`` or
    ``delete``, as Squid's; ``privacy`` (:class:`~txproxy.forward.Privacy`) removes and replaces fields,
    and ``inject`` (:class:`~txproxy.forward.Injection`) adds secrets that no client holds.

    Which way requests go: ``parents`` are URLs of proxies to go through (see
    :class:`txproxy.forward.Parent`), or a :class:`txproxy.forward.Parents`, which several proxies may share.
    ``choose_parent(head, context, parents)``: asked for each request first; a ``Parent``, None (as configured), or a
    Deferred of these. ``no_proxy``: names and networks that are reached without a parent, by the proxy and by clients
    that have its PAC file, in the words of the environment variable. ``bind``: the local address to connect from, and
    ``binds`` (:class:`~txproxy.forward.Bind`) others for some hosts and rules. ``pac``: whether
    ``/proxy.pac`` is served. ``audit`` writes down what was decided.

    A wrong value is a ``ConfigError``, which is a ``ValueError``.
    """

    allow_clients: tuple[str, ...] = attrs.field(default=LOOPBACK_CLIENTS, converter=_strings)
    allow_ports: tuple[str, ...] | None = attrs.field(default=None, converter=attrs.converters.optional(_strings))
    allow_destinations: tuple[str, ...] = attrs.field(default=(), converter=_strings)
    closed: tuple[str, int] | None = None
    allow_hosts: tuple[str, ...] | None = attrs.field(default=None, converter=attrs.converters.optional(_strings))
    deny_hosts: tuple[str, ...] = attrs.field(default=(), converter=_strings)
    filters: Filters | tuple[ListFile, ...] = attrs.field(default=(), converter=_lists)
    lists: Filters | tuple[ListFile, ...] = attrs.field(default=(), converter=_lists)
    auth: AuthPolicy | None = attrs.field(default=None, converter=_auth)
    auth_by_rules: bool = False
    rules: tuple[Rule, ...] = attrs.field(default=(), converter=_rules)
    usage: Usage | None = None
    bounds: Callable[[str, str | None, str], Bounds | None] | None = None
    ask: Ask | None = None
    ask_timeout: float = 60.0
    rewrites: tuple[Rewrite, ...] = attrs.field(default=(), converter=tuple)
    safe_search: tuple[str, ...] = attrs.field(default=(), converter=_strings)
    content: ContentRules | None = None
    agree_names: bool = False
    privacy: tuple[Privacy, ...] = attrs.field(default=(), converter=tuple)
    inject: tuple[Injection, ...] = attrs.field(default=(), converter=tuple)
    via: str | None = "txproxy"
    via_mark: str | None = None
    forwarded_for: str = "delete"
    parents: Parents | ParentUrls | None = attrs.field(default=None, converter=_parents)
    choose_parent: ChooseParent | None = None
    no_proxy: tuple[str, ...] = attrs.field(default=(), converter=_strings)
    bind: str = attrs.field(default="", converter=_bind)
    binds: tuple[Bind, ...] = attrs.field(default=(), converter=tuple)
    pac: bool = True
    audit: Audit | None = None

    def __attrs_post_init__(self) -> None:
        self._check_places()
        forwarded_for_mode(self.forwarded_for)
        Rewrites(self.rewrites, self.safe_search)
        if self.ask_timeout <= 0:
            raise ConfigError(f"{self.ask_timeout!r} is no time", "accepted are seconds, above 0", ("ask_timeout",))
        if self.auth_by_rules and self.auth is None:
            raise ConfigError("there is nobody to be known", "accepted with auth", ("auth_by_rules",))
        known = [rule.name for rule in self.rules if rule.name]
        for key, named in self._named_rules():
            for name in named:
                if name not in known:
                    accepted = (
                        f"accepted: {', '.join(known)}" if known else "accepted are names of rules, and none has one"
                    )
                    raise ConfigError(f"there is no rule {name!r}", accepted, (key,))

    def _named_rules(self) -> Iterable[tuple[str, Iterable[str]]]:
        """The names of rules, by the keys that have them."""
        yield "inject", (name for one in self.inject for name in one.rules)
        yield "binds", (name for one in self.binds for name in one.rules)
        if isinstance(self.parents, ParentUrls):
            yield "parents", self.parents.rules
        elif self.parents is not None:
            yield "parents", (name for one in self.parents for name in one.rules)

    def _check_places(self) -> None:
        """Who reads an error of this program's own is to know what it is about."""
        checks: tuple[tuple[str, Callable[[Any], object], Any], ...] = (
            ("allow_clients", PeerNetworks, self.allow_clients),
            ("allow_ports", Ports, self.allow_ports or ()),
            ("allow_destinations", Destinations, self.allow_destinations),
            ("allow_hosts", HostPatterns, self.allow_hosts or ()),
            ("deny_hosts", HostPatterns, self.deny_hosts),
            ("no_proxy", NoProxy, self.no_proxy),
        )
        for key, make, values in checks:
            try:
                make(values)
            except ConfigError as fault:
                raise fault.at(key) from None
