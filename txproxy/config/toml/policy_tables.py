"""The parts of a forward listener's policy that are tables: users, lists, rules, rewrites, fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from twisted.internet.task import Clock

from txproxy.auth.auth_policy import AuthPolicy, make_authenticator
from txproxy.auth.certificate_names import FIELDS
from txproxy.auth.code_checkers import find_checker
from txproxy.components.named_code import NamedCode
from txproxy.components.settings import default_of
from txproxy.components.values import duration, flag, one_of, one_of_numbers, size, text, texts
from txproxy.config.own_code.code_tables import read_code, read_codes
from txproxy.config.toml.tables import Table
from txproxy.errors import ConfigError, Path
from txproxy.forward.access.conditions.condition_type import Surroundings, Usage
from txproxy.forward.access.content_policy import ContentRules, media_range
from txproxy.forward.access.decisions import Rules
from txproxy.forward.access.rules import KEYS, Action, Rule
from txproxy.forward.blocklists.filtering import Filters, ListFile
from txproxy.forward.egress.credentials_injection import Injection
from txproxy.forward.request.privacy import Privacy, removable
from txproxy.forward.request.targets import Bind, bind_address
from txproxy.forward.request.url_rewrites import REDIRECTS, Rewrite
from txproxy.interfaces.hooks.matcher import find_matcher
from txproxy.matching.hosts import host_pattern
from txproxy.matching.url_patterns import url_pattern
from txproxy.wire.forwarding import REQUEST_FIELDS, RESPONSE_FIELDS

T = TypeVar("T")

_USER_FILES: Final = ("password_file", "digest_file", "token_file", "group_file")
_ACTIONS: Final = tuple(action.value for action in Action)
_FREE_KEYS: Final = ("headers", "not_headers")


def raw(value: Any) -> Any:
    """A value that somebody else looks at."""
    return value


def made(
    table: Table, make: Callable[..., T], *given: Any, called: Mapping[str, Path] | None = None, **values: Any
) -> T | None:
    """What ``make`` makes of its arguments; None if it cannot. ``called`` has the paths of those whose keys have other
    names.
    """
    try:
        return make(*given, **values)
    except ConfigError as fault:
        table.faults_of(fault, called=called)
        return None


def _values(table: Table, keys: tuple[str, ...]) -> dict[str, Any]:
    """The values of those that are there."""

    def read(key: str) -> Any:
        # A field may be called file: then it is no file in which a value stands.
        free = key in _FREE_KEYS and table.value(key, {})
        return dict(table.pairs(key, raw, "{ NAME = 'PATTERN' }")) if free else table.read(key, raw, None)

    found = {key: read(key) for key in keys}
    return {key: value for key, value in found.items() if value is not None}


# -- who they are


def read_auth(table: Table | None) -> tuple[AuthPolicy | None, bool]:
    """The users of a proxy, and whether only rules ask for them."""
    if table is None:
        return None, False
    before = len(table.findings.faults)
    more: dict[str, Any] = {
        "certificate_field": table.read("certificate_field", one_of(FIELDS), None),
        "certificate_users": dict(table.pairs("certificate_users", text, "{ 'NAME' = 'USER' }")) or None,
    }
    by_rules = table.read("by_rules", flag, False)
    policy = read_users(table, before, **more)
    return policy, by_rules and policy is not None


def read_users(table: Table, before: int, **more: Any) -> AuthPolicy | None:
    """Who is known, by files and by what is said in ``more``, where there are still no more faults than ``before``.
    Nothing else may be in the table.
    """
    values: dict[str, Any] = {
        **{key: table.file(key) for key in _USER_FILES},
        "passwords": _checker(table, "passwords", 2),
        "tokens": _checker(table, "tokens", 1),
        "realm": table.read("realm", text, default_of(AuthPolicy, "realm")),
        "remember": table.read("remember", duration, default_of(AuthPolicy, "remember")),
        "digest_secret": table.read("digest_secret", texts(str.encode), b""),
        **more,
    }
    table.close()
    policy = made(table, AuthPolicy, **values) if len(table.findings.faults) == before else None
    if policy is None:
        return None
    try:
        # The files are read, so that what is wrong in them is told with all the rest.
        make_authenticator(policy, Clock())
    except ConfigError as fault:
        table.faults_of(fault)
        return None
    return policy


def _checker(table: Table, key: str, given: int) -> NamedCode | None:
    value = table.read(key, raw, None)
    if value is None:
        return None
    return read_code(table, (key,), value, key, "checker", partial(find_checker, given=given))


# -- lists and rules


def read_filters(table: Table) -> Filters:
    """The block lists, loaded."""
    files = []
    for keys, value in table.elements("filters", files=True) or ():
        if isinstance(value, dict):
            inner = table.inner(value, *keys, kind="filters[]")
            name, file = inner.read("name", text, ""), inner.file("file")
            if file is None and "file" not in inner:
                inner.fault("file is missing", accepted="accepted is the name of one")
            inner.close()
        else:
            name, file = "", _file(table, keys, value)
        if file is not None:
            files.append((keys, ListFile(file, name) if name else ListFile(file)))
    return _loaded(table, files)


def _file(table: Table, keys: tuple[str | int, ...], value: object) -> str | None:
    try:
        return table.file_name(value, "filters")
    except ConfigError as fault:
        table.faults_of(fault, *keys)
        return None


def read_lists(table: Table) -> Filters:
    """The lists that rules name, loaded."""
    pairs = table.pairs("lists", table.file_name, "{ NAME = 'FILE' }")
    return _loaded(table, [(("lists", name), ListFile(file, name)) for name, file in pairs])


def _loaded(table: Table, files: list[tuple[tuple[str | int, ...], ListFile]]) -> Filters:
    good = []
    for keys, file in files:
        try:
            # Those that could be read are not read a second time.
            good.append((file, Filters([file])))
        except ConfigError as fault:
            table.faults_of(fault, *keys)
    try:
        filters = Filters(file for file, _ in good)
    except ConfigError as fault:
        table.faults_of(fault, *(files[0][0][:1]))
        return Filters()
    for warning in filters.warnings:
        table.findings.doubt((*table.path, *files[0][0][:1]), warning)
    # Whoever opens these files next is to find the lists there, and not to read a million lines again.
    table.findings.opened.append(filters)
    return filters


def read_rules(table: Table, lists: Filters, authenticates: bool, usage: Usage | None = None) -> tuple[Rule, ...]:
    """The rules, which may name ``lists``."""
    rules, numbers = [], []
    before = len(table.findings.faults)
    for number, inner in enumerate(table.tables("rules")):
        read_here = ("action", "name", "reason", "tunnel_timeout", "challenge")
        values = _values(inner, tuple(key for key in KEYS if key not in read_here))
        for key, value in values.items():
            if key.startswith("not_") and value in ([], {}):
                inner.fault(
                    "there is none in it, so that it would leave out nothing", key, accepted="accepted is one or more"
                )
        for key in ("matches", "not_matches"):
            if key in values:
                values[key] = read_codes(inner, key, "function", find_matcher, some=True)
        values |= {key: inner.read(key, text, "") for key in ("name", "reason")}
        values["challenge"] = inner.read("challenge", flag, False)
        # See read_rule_choices, read_rule_limits and read_rules_around.
        for key in ("cache", "request_limits", "middleware", "before", "after"):
            inner.read(key, raw, None)
        values["tunnel_timeout"] = inner.read("tunnel_timeout", duration, None)
        action = inner.need("action", one_of(_ACTIONS), "deny", ", ".join(_ACTIONS))
        inner.close()
        rule = made(inner, Rule, action=action, **values)
        if rule is not None:
            rules.append(rule)
            numbers.append(number)
    of_lists = (*table.path, "lists")
    if len(table.findings.faults) > before or any(
        one.path[: len(of_lists)] == of_lists for one in table.findings.faults
    ):
        # What they name together would be told with the wrong numbers, or that a list is not there that is only wrong.
        return ()
    try:
        together = Rules(rules, surroundings=Surroundings(lists=lists, usage=usage), authenticates=authenticates)
    except ConfigError as fault:
        table.faults_of(fault, "rules")
        return ()
    for number, warning in together.unreachable:
        table.findings.doubt((*table.path, "rules", number), warning)
    return tuple(rules)


# -- changes


def read_rewrites(table: Table) -> tuple[Rewrite, ...]:
    """Where requests go in place of their own URLs."""
    rewrites = []
    for number, inner in enumerate(table.tables("rewrites"), 1):
        name = inner.read("name", text, f"rewrite {number}")
        to = inner.need("to", text, None, "a URL such as https://{host}{path}")
        hosts = inner.some("hosts", texts(host_pattern))
        url = inner.read("url", texts(url_pattern), None)
        redirect = inner.read("redirect", one_of_numbers(REDIRECTS), None)
        inner.close()
        if to is not None:
            values: dict[str, Any] = {"hosts": hosts, "url": url, "redirect": redirect}
            rewrites.append(made(inner, Rewrite, name=name, to=to, **values))
    return tuple(one for one in rewrites if one is not None)


def read_content(table: Table | None) -> ContentRules | None:
    """What responses may bring."""
    if table is None:
        return None
    types = table.all("deny_types", texts(media_range)) or ()
    largest = table.read("max_size", size, None)
    table.close()
    return made(table, ContentRules, deny_types=types, max_size=largest)


def read_privacy(table: Table) -> tuple[Privacy, ...]:
    """What origins are told."""
    privacy = []
    for inner in table.tables("privacy"):
        values: dict[str, Any] = {
            "hosts": inner.some("hosts", texts(host_pattern)),
            "remove": inner.all("remove", texts(removable)) or (),
            "replace": inner.pairs("replace", text, "{ User-Agent = 'none' }"),
            "keep": inner.all("keep", texts(removable)),
            "remove_from_responses": inner.all("remove_from_responses", texts(removable)) or (),
        }
        inner.close()
        of_requests: list[tuple[Path, str]] = [(("remove",), name) for name in values["remove"]]
        of_requests += [(("replace", name), name) for name, _ in values["replace"]]
        of_requests += [(("keep",), name) for name in values["keep"] or ()]
        _see_kind(inner, of_requests, RESPONSE_FIELDS, "requests have no such field, which is one of responses")
        of_responses: list[tuple[Path, str]] = [
            (("remove_from_responses",), name) for name in values["remove_from_responses"]
        ]
        _see_kind(inner, of_responses, REQUEST_FIELDS, "responses have no such field, which is one of requests")
        privacy.append(made(inner, Privacy, **values))
    return tuple(one for one in privacy if one is not None)


def _see_kind(table: Table, names: Iterable[tuple[Path, str]], wrong: frozenset[bytes], what: str) -> None:
    for keys, name in names:
        if name.lower().encode() in wrong:
            table.doubt(f"{name}: {what}", *keys)


def read_injections(table: Table) -> tuple[Injection, ...]:
    """What requests get from the proxy. What is wrong with a value is said without it."""
    injections = []
    for inner in table.tables("inject"):
        before = len(table.findings.faults)
        origin = inner.need("origin", text, None, "one such as https://api.example.com")
        headers = inner.pairs("headers", _secret, "{ Authorization = 'Bearer ...' }")
        rules = inner.some("rules", text) or ()
        inner.close()
        if origin is not None and len(table.findings.faults) == before:
            injections.append(made(inner, Injection, origin=origin, headers=headers, rules=rules))
    return tuple(one for one in injections if one is not None)


def _secret(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError("this is no text", "accepted is a text in quotes, not an empty one")
    return value


def read_binds(table: Table) -> tuple[Bind, ...]:
    """Where requests are connected from."""
    binds = []
    for inner in table.tables("binds"):
        address = inner.need("address", texts(bind_address), None, "an address of this host, such as 192.0.2.1")
        hosts, rules = inner.some("hosts", texts(host_pattern)), inner.some("rules", text) or ()
        inner.close()
        if address is not None:
            binds.append(made(inner, Bind, address=address, hosts=hosts, rules=rules))
    return tuple(one for one in binds if one is not None)
