"""What would be done with a request, and why not something else: told from a configuration, without running it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
from twisted.internet.defer import Deferred

from txproxy.components.values import hint
from txproxy.config.endpoints import Bound
from txproxy.config.model import (
    AnyListener,
    Config,
    ForwardListener,
    PoolConfig,
    ReverseListener,
    RouteConfig,
    TcpListener,
)
from txproxy.errors import ConfigError, ExchangeError, RequestError
from txproxy.forward.explaining import explain as explain_forward
from txproxy.forward.mode import ForwardMode
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Plan
from txproxy.matching.hosts import is_literal
from txproxy.matching.octets import shown
from txproxy.proxy.exchanges.own_answers import reason_of
from txproxy.proxy.services import Services
from txproxy.reverse.actions.treatments import Action
from txproxy.reverse.routing.routes import Route
from txproxy.runtime.builder import LivePool, action_of, default_action, mode_of
from txproxy.tls.listener_contexts import ServerTls
from txproxy.upstreams.balancing.strategies import strategy_from
from txproxy.upstreams.balancing.strategy import Strategy
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.upstream import State, Upstream
from txproxy.wire.grammar import FIELD_VALUE, TOKEN
from txproxy.wire.http1.server import ServerCodec
from txproxy.wire.message import RequestHead

_PORTS: Final = {"http": 80, "https": 443}


@attrs.frozen
class Question:
    """A request: ``method``, ``url`` (for CONNECT ``HOST:PORT``), field ``lines``, the address of the ``client``, the
    name of the ``listener`` that gets it (None: told by the URL), and of the ``user`` who is taken to send it, if
    anybody is.
    """

    method: str
    url: str
    lines: tuple[str, ...] = ()
    client: str = "127.0.0.1"
    listener: str | None = None
    user: str | None = None

    @classmethod
    def of(
        cls,
        method: str,
        url: str,
        lines: Sequence[str],
        client: str,
        listener: str | None,
        user: str | None = None,
    ) -> Question:
        """From what was typed; ``ConfigError`` if it is none."""
        if not TOKEN.fullmatch(method.encode("utf-8", "replace")):
            raise ConfigError(f"{method!r} is no method", "accepted are names such as GET")
        parts = urlsplit(f"https://{url}" if method == "CONNECT" else url)
        try:
            sound = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
        except ValueError:
            sound = False
        if not sound or not url.isascii():
            accepted = "HOST:PORT" if method == "CONNECT" else "http://HOST/PATH or https://HOST/PATH, in ASCII"
            raise ConfigError(f"{url!r} is no URL", f"accepted is {accepted}")
        for line in lines:
            name, colon, value = line.partition(":")
            field = value.strip().encode("utf-8")
            if not colon or not TOKEN.fullmatch(name.encode("utf-8")) or not FIELD_VALUE.fullmatch(field):
                raise ConfigError(f"-H {line!r}: no field", "accepted is 'NAME: VALUE'")
        if not is_literal(client):
            raise ConfigError(f"--client {client}: accepted is an address")
        return cls(method, url, tuple(lines), client, listener, user)

    @property
    def scheme(self) -> str:
        """How the client speaks."""
        return "http" if self.method == "CONNECT" else urlsplit(self.url).scheme

    @property
    def port(self) -> int | None:
        """The port, if the URL has one."""
        return None if self.method == "CONNECT" else urlsplit(self.url).port

    def head(self, absolute: bool) -> RequestHead:
        """The request as a proxy reads it; ``RequestError`` if it is one that no proxy takes."""
        target, authority = self.url, self.url
        if self.method != "CONNECT":
            parts = urlsplit(self.url)
            authority = parts.netloc.rpartition("@")[2]
            if not absolute:
                target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            else:
                target = self.url.partition("#")[0]
        lines = [f"{self.method} {target} HTTP/1.1"]
        if not any(line.lower().startswith("host:") for line in self.lines):
            lines.append(f"Host: {authority}")
        codec = ServerCodec()
        codec.receive("\r\n".join((*lines, *self.lines, "", "")).encode("utf-8"))
        head = codec.next_event()
        if not isinstance(head, RequestHead):
            raise RequestError("the request is not complete")
        return head


def explain(config: Config, question: Question) -> tuple[str, bool]:
    """The answer, in lines, and whether something would be done. ``ConfigError`` if there is no such listener."""
    said = [f"{question.method} {question.url} from {question.client}"]
    listener = _listener(config, question, said)
    if listener is None:
        said.append("no listener gets this request")
        return "\n".join(said), False
    if listener.middleware:
        said.append(f"first: {', '.join(listener.middleware)}, which may do anything, and is not asked here")
    pools = {pool.name: LivePool(pool, pool.sticky_key or os.urandom(32)) for pool in config.pools}
    context = RequestContext(ClientConnection(question.client, question.scheme))
    try:
        if isinstance(listener, ReverseListener):
            return _finish(said, _reverse(config, listener, question, context, pools, said))
        if isinstance(listener, ForwardListener):
            return _finish(said, _forward(listener, question, context, said))
        return _finish(said, _tcp(listener, context, pools, said))
    except ExchangeError as fault:
        return _finish(said, _refused(Refusal.of(fault), said))


def _finish(said: list[str], done: bool) -> tuple[str, bool]:
    return "\n".join(said), done


# -- which listener


def _listener(config: Config, question: Question, said: list[str]) -> AnyListener | None:
    names = [listener.name for listener in config.listeners]
    if question.listener is not None and question.listener not in names:
        meant = hint(question.listener, names)
        raise ConfigError(f"--listener {question.listener}: there is none{meant}", f"accepted: {', '.join(names)}")
    taken: AnyListener | None = None
    only_forward = not any(isinstance(listener, ReverseListener) for listener in config.listeners)
    for listener in sorted(config.listeners, key=lambda one: not isinstance(one, ReverseListener)):
        why = _why_not(listener, question, isinstance(listener, ForwardListener) and not only_forward)
        if not why and taken is not None:
            why = f"{taken.name} comes first; --listener {listener.name} asks this one"
        if not why:
            taken = listener
        said.append(
            f"listener {listener.name} ({_mode_of(listener)}, {', '.join(listener.endpoints)}): {why or 'taken'}"
        )
    return taken


def _mode_of(listener: AnyListener) -> str:
    if isinstance(listener, ReverseListener):
        return "reverse"
    return "forward" if isinstance(listener, ForwardListener) else "tcp"


def _why_not(listener: AnyListener, question: Question, told: bool) -> str:
    """``told``: only who is told of it sends it requests."""
    if question.listener is not None:
        return "" if listener.name == question.listener else "another was asked for"
    if isinstance(listener, TcpListener):
        return "it reads no requests"
    if isinstance(listener, ForwardListener):
        return f"only clients that are told of it come here; --listener {listener.name} asks this one" if told else ""
    endpoints = listener.tls_listen if question.scheme == "https" else listener.listen
    if not endpoints:
        return f"it does not speak {question.scheme}"
    if question.port is not None and question.port not in [Bound.of(text).port for text in endpoints]:
        return f"it does not listen on port {question.port}"
    return ""


# -- what is done there


class _Chosen:
    """An action that does nothing, but to be known."""

    def __init__(self, route: RouteConfig | None) -> None:
        self.route = route
        self.takes_connect = route is not None and route.action.takes_connect
        self.pools: tuple[Pool, ...] = ()

    def plan(self, head: RequestHead, context: RequestContext) -> Any:
        """See :class:`txproxy.reverse.Action`."""
        return self

    def attach(self, services: Services) -> None:
        """See :class:`txproxy.reverse.Action`."""


def _reverse(
    config: Config,
    listener: ReverseListener,
    question: Question,
    context: RequestContext,
    pools: Mapping[str, LivePool],
    said: list[str],
) -> bool:
    head = question.head(absolute=False)
    routes = [Route[Action](route.name, route.match, _Chosen(route)) for route in config.routes_of(listener)]
    tls = ServerTls(listener.tls) if listener.tls is not None and question.scheme == "https" else None
    # What is drawn is to be the same each time it is looked at.
    mode = mode_of(
        attrs.evolve(listener, split_by_client=True),
        _Chosen(None) if listener.pool is not None else None,
        routes,
        tls=tls,
    )
    decision: Any = mode.plan(head, context)
    if context.client_ip != context.peer_ip:
        said.append(f"client: {context.client_ip}, as {context.peer_ip} is a trusted proxy")
    chosen = decision.route if isinstance(decision, _Chosen) else None
    if mode.routes is not None and (isinstance(decision, _Chosen) or decision.status == 404):
        for route, why in mode.routes.explain(head, context):
            said.append(f"route {route.name}: {why}")
    if not isinstance(decision, _Chosen):
        return _refused(decision, said)
    if chosen is None:
        said.append(f"no route: pool {listener.pool}, which is the listener's own")
        action = default_action(listener, pools, None)
        assert action is not None
    else:
        said += _before(chosen)
        action = action_of(attrs.evolve(chosen, auth=None, mirror=None), pools, None)
    rewrite = chosen.request if chosen is not None else None
    given = (*rewrite.set_headers, *rewrite.add_headers) if rewrite is not None else ()
    return _planned(action.plan(head, context), pools, said, frozenset(name.lower() for name, _ in given))


def _before(route: RouteConfig) -> list[str]:
    """What a route does that is not part of its plan."""
    said = []
    if route.auth is not None:
        said.append(f"first: GET {route.auth.path} of pool {route.auth.pool} has to answer 2xx")
    if route.mirror is not None:
        said.append(f"copy: {route.mirror.share:.0%} of these requests go to pool {route.mirror.pool} as well")
    return said


def _planned(decision: Any, pools: Mapping[str, LivePool], said: list[str], secret: frozenset[str]) -> bool:
    """``secret`` are the fields, in small letters, whose values are not shown, as the configuration gives them."""
    if isinstance(decision, Refusal | Answer):
        return _refused(decision, said)
    if isinstance(decision, Deferred):
        decision.addErrback(lambda _: None)
        said.append("answer: none yet, as it has to wait for an upstream that has room")
        return True
    assert isinstance(decision, Plan)
    attempt: Any = decision.attempt
    upstream: Upstream = attempt.upstream
    live = next((live for live in pools.values() if live.pool is upstream.pool), None)
    if live is not None:
        said += pool_lines(live, upstream)
    sent = attempt.head
    if sent is None:
        said.append(f"sent: nothing; a tunnel to {attempt.address}")
        return True
    target = f"{shown(sent.method)} {shown(sent.path)} HTTP/1.1"
    said.append(f"sent to {attempt.address}: {target}")
    for line in map(shown, sent.headers.lines):
        name = line.partition(":")[0]
        said.append(f"    {name}: ***" if name.lower() in secret else f"    {line}")
    return True


def _refused(answer: Refusal | Answer, said: list[str]) -> bool:
    reason = reason_of(answer.status).decode("ascii")
    detail = answer.detail if isinstance(answer, Refusal) else ""
    said.append(f"answer: {answer.status} {reason}".rstrip() + (f", {detail}" if detail else ""))
    said += [f"    {shown(line)}" for line in answer.lines]
    return isinstance(answer, Answer)


def pool_lines(live: LivePool, chosen: Upstream) -> list[str]:
    """Each upstream of a pool with its state, and why it is the ``chosen`` one, or is not."""
    config = live.config
    sticky = f", sticky by {config.sticky}" if config.sticky is not None else ""
    said = [f"pool {config.name} ({config.strategy}{sticky}); no upstream was asked whether it is well"]
    primaries = any(one.state is State.HEALTHY and not one.backup for one in live.pool.upstreams)
    for one in live.pool.upstreams:
        known = [one.state.value] if one.state is not State.HEALTHY else []
        known += [f"weight {one.weight}"] if one.weight != 1 else []
        told = f" ({', '.join(known)})" if known else ""
        said.append(f"    {one.name}{told}: {_why_upstream(one, chosen, config, primaries)}")
    return said


def _why_upstream(one: Upstream, chosen: Upstream, config: PoolConfig, primaries: bool) -> str:
    if one is chosen:
        return "chosen"
    if one.state is not State.HEALTHY:
        return one.cause or "it is not available"
    if one.backup and primaries:
        return "a backup, for when no other is available"
    if one.active >= one.room:
        return f"it has all the requests that it may have, which are {one.max}"
    why: str = getattr(strategy_from(config.strategy), "passed_over", Strategy.passed_over)
    return why


def _forward(listener: ForwardListener, question: Question, context: RequestContext, said: list[str]) -> bool:
    mode = ForwardMode(listener.policy)
    if question.user is not None:
        context.user = question.user
        context.groups = mode.authenticator.groups_of(question.user) if mode.authenticator is not None else frozenset()
    decision = explain_forward(mode, question.head(absolute=True), context, said)
    if isinstance(decision, Plan):
        attempt = decision.attempt
        what = "a tunnel" if attempt.head is None else "sent"
        said.append(f"answer: {what} to {attempt.address}, if the address that it has may be reached")
        return True
    if isinstance(decision, Refusal | Answer):
        return _refused(decision, said)
    said.append("answer: that has to be found out first: who it is, what addresses it has, or what somebody says")
    return True


def _tcp(listener: TcpListener, context: RequestContext, pools: Mapping[str, LivePool], said: list[str]) -> bool:
    said += [f"name {name}: pool {pool}" for name, pool in listener.sni]
    if listener.pool is None:
        said.append("others: closed, as there is no pool for them")
        return False
    live = pools[listener.pool]
    upstream = live.pool.take(None, context)
    if upstream is not None:
        said += pool_lines(live, upstream)
    return upstream is not None
