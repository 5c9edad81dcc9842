"""What would be done with a request, and why not something else: told by what serves it, which connects to nobody."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

import attrs

from txproxy.auth.auth_policy import AuthPolicy
from txproxy.components.values import hint
from txproxy.config.endpoints import Bound
from txproxy.config.model import AnyListener, Config, ForwardListener, ReverseListener, TcpListener
from txproxy.config.start_lines import trial_words
from txproxy.errors import ConfigError
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.trace import Entry, Trace
from txproxy.matching.hosts import is_literal
from txproxy.proxy.exchanges.responses.own_answers import status_text
from txproxy.runtime.dry_run import dry_run
from txproxy.runtime.live.live_pools import LivePool
from txproxy.upstreams.choice import tell_choice
from txproxy.wire.grammar import FIELD_VALUE, TOKEN

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

    def request(self, absolute: bool) -> bytes:
        """The request as a client sends it, but for its body."""
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
        return "\r\n".join((*lines, *self.lines, "", "")).encode("utf-8")


def explain(config: Config, question: Question) -> tuple[str, bool]:
    """The answer, in lines, and whether something would be done. ``ConfigError`` if there is no such listener."""
    said = [f"{question.method} {question.url} from {question.client}"]
    listener = _listener(config, question, said)
    if listener is None:
        said.append("no listener gets this request")
        return "\n".join(said), False
    if isinstance(listener, TcpListener):
        done = _tcp(config, listener, question, said)
    else:
        done = _requested(config, listener, question, said)
    # The question may be repeated; what the file takes from outside is called as it is there.
    return "\n".join([said[0], *map(config.outside.masked, said[1:])]), done


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
        taken_by = "taken" + (trial_words(listener) if question.scheme == "https" else "")
        said.append(
            f"listener {listener.name} ({_mode_of(listener)}, {', '.join(listener.endpoints)}): {why or taken_by}"
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


def _requested(
    config: Config, listener: ForwardListener | ReverseListener, question: Question, said: list[str]
) -> bool:
    if listener.middleware:
        said.append(f"first: {', '.join(map(str, listener.middleware))}")
    forward = isinstance(listener, ForwardListener)
    request = question.request(absolute=forward)
    if isinstance(listener, ReverseListener):
        # What is drawn is to be the same each time it is looked at.
        listener = attrs.evolve(listener, split_by_client=True)
    elif question.user is not None and listener.policy.auth is not None:
        listener, line = _known(listener, listener.policy.auth, question.user)
        request = request[:-2] + line + b"\r\n\r\n"
    run = dry_run(config, listener, request, question.client, question.scheme)
    told = _without_heads(run.entries) if forward else run.entries
    said += map(str, told)
    record = run.record
    if record is not None:
        if not any(entry.who == "answer" for entry in run.entries):
            # It was no request, so that nobody was asked about it.
            said.append(f"answer: {status_text(record.status)}, {record.detail}")
        return record.outcome == "answered"
    if not run.dialed:
        said.append(f"answer: {_waits(run.entries, forward)}")
    elif forward:
        what = "a tunnel" if question.method == "CONNECT" else "sent"
        said.append(f"answer: {what} to {run.dialed[-1]}, if the address that it has may be reached")
    return True


def _known(listener: ForwardListener, auth: AuthPolicy, user: str) -> tuple[ForwardListener, bytes]:
    """The listener, where the ``user`` is known by whatever password, and the field with which it comes."""
    known = AuthPolicy(passwords=lambda name, _: name, group_file=auth.group_file, realm=auth.realm)
    credentials = b64encode(f"{user}:".encode())
    policy = attrs.evolve(listener.policy, auth=known)
    return attrs.evolve(listener, policy=policy), b"Proxy-Authorization: Basic " + credentials


def _without_heads(entries: Iterable[Entry]) -> list[Entry]:
    """All but what is sent."""
    kept: list[Entry] = []
    sent = False
    for entry in entries:
        if not entry.within:
            sent = entry.who.startswith("sent")
        if not sent:
            kept.append(entry)
    return kept


def _waits(entries: Sequence[Entry], forward: bool) -> str:
    if entries and entries[-1].who.startswith("middleware "):
        return f"none yet, as {entries[-1].who} waits"
    if forward:
        return "that has to be found out first: who it is, what addresses it has, or what somebody says"
    return "none yet, as it has to wait for an upstream that has room"


def _tcp(config: Config, listener: TcpListener, question: Question, said: list[str]) -> bool:
    said += [f"limit {limit.name}: {limit.meaning()}" for limit in listener.request_limits]
    said += [f"name {name}: pool {pool}" for name, pool in listener.sni]
    if listener.pool is None:
        said.append("others: closed, as there is no pool for them")
        return False
    pool = LivePool(config.pool(listener.pool), b"").pool
    upstream = pool.take(None, RequestContext(ClientConnection(question.client)))
    if upstream is not None:
        trace = Trace(dry_run=True)
        tell_choice(trace, upstream)
        said.append(str(trace))
    return upstream is not None
