"""``txproxy init``: a first configuration of a kind, with what there is on the machine."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import attrs

from txproxy.cli.arguments import Parser, asks_for_help, wrong_call
from txproxy.cli.files.first_files import FIRST_FILES, Surroundings
from txproxy.cli.files.machine import (
    FoundCertificate,
    certificates_in_folder,
    found_certificate,
    free_port,
    users_in_folder,
)
from txproxy.cli.files.toml_layout import formatted
from txproxy.components.values import hint
from txproxy.config.endpoints import Bound, endpoint_text
from txproxy.config.toml.file import parse
from txproxy.errors import ConfigError
from txproxy.upstreams.upstream_urls import parse_tcp_upstream, parse_upstream

T = TypeVar("T")

_PORTS: Final = {"reverse": 8080, "forward": 3128, "egress": 3128, "cache": 8080, "tcp": 5000}
_TLS_PORT: Final = 8443
_ADMIN_PORT: Final = 9090
_UPSTREAM: Final = "http://127.0.0.1:8000"
_TCP_UPSTREAM: Final = "127.0.0.1:5432"
_TO_SERVERS: Final = ("reverse", "cache", "tcp")


def run(arguments: Sequence[str]) -> int:
    """Run it; gives the exit status."""
    parser = make_parser()
    if asks_for_help(parser, "init", arguments):
        return 0
    try:
        given = parser.parse_intermixed_args(arguments)
        if given.kind not in FIRST_FILES:
            said = (
                f"{given.kind!r} is no kind{hint(given.kind, tuple(FIRST_FILES))}" if given.kind else "a kind is needed"
            )
            raise ConfigError(said, f"accepted: {', '.join(FIRST_FILES)}")
        around, notes = _look_around(given)
    except ConfigError as fault:
        accepted = "" if "accepted" in str(fault) else "; txproxy init --help lists what is accepted"
        return wrong_call("init", f"{fault}{accepted}")
    try:
        text = formatted(FIRST_FILES[given.kind](around), around.name)
        # What is written is right, or is not written.
        parse(text, given.file or "standard-output.toml")
        if given.file is not None:
            _write(given.file, text)
            notes.append(f"{given.file} is written, and is right; txproxy run --config {given.file} runs it")
    except ConfigError as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    if given.file is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    for note in notes:
        sys.stderr.write(f"{note}\n")
    return 0


def make_parser() -> Parser:
    """What reads the arguments of ``txproxy init``."""
    parser = Parser(
        "txproxy init",
        description=f"Write a first configuration that works, with what is there: free ports, certificates and users "
        f"in the folder. KIND is one of {', '.join(FIRST_FILES)}.",
        allow_abbrev=False,
    )
    parser.add_argument("kind", metavar="KIND", nargs="?", help=", ".join(FIRST_FILES))
    parser.add_argument(
        "file", metavar="FILE", nargs="?", help="written if there is none of that name [default: standard output]"
    )
    parser.add_argument(
        "--upstream",
        metavar="URL",
        action="append",
        help=f"repeatable [default: {_UPSTREAM}, or {_TCP_UPSTREAM} of tcp]",
    )
    parser.add_argument("--listen", metavar="ENDPOINT", help="[default: a free port of 127.0.0.1]")
    parser.add_argument("--cert", metavar="FILE", help="PEM chain for TLS [default: those *.pem of the folder]")
    parser.add_argument("--key", metavar="FILE", help="its key [default: in the same file]")
    parser.add_argument("--users", metavar="FILE", help="who may use it, htpasswd [default: htpasswd of the folder]")
    return parser


def _look_around(given: Namespace) -> tuple[Surroundings, list[str]]:
    """What the file is written for, and what there is to say of that. ``ConfigError`` for what is given and is none."""
    if given.file is not None and os.path.lexists(given.file):
        raise ConfigError(f"{given.file} is there already", "accepted is a name of a file that is not")
    folder = os.path.dirname(given.file or "") or "."
    name_there = _names_in(folder)
    notes: list[str] = []
    usual = _PORTS[given.kind]
    ports: list[int] = []
    if given.listen is not None:
        listen = _of_option("--listen", given.listen, endpoint_text)
        if Bound.of(listen).path:
            raise ConfigError(f"--listen {listen}: this is no port", "accepted is one such as 8080 or 127.0.0.1:8080")
        ports.append(Bound.of(listen).port)
    else:
        listen = _free(usual, ports, notes)
    around = Surroundings(
        name=given.file or "FILE",
        listen=listen,
        place=_place(listen),
        tls_listen=_free(_TLS_PORT, ports, []),
        admin=_free(_ADMIN_PORT, ports, notes),
        upstreams=_upstreams(given),
        certificates=[
            attrs.evolve(one, cert=name_there(one.cert), key=None if one.key is None else name_there(one.key))
            for one in _certificates(given, folder)
        ],
        users=None if (users := _users(given, folder)) is None else name_there(users),
    )
    notes += [f"found {one.cert}, for {', '.join(one.names)}" for one in around.certificates]
    if around.users is not None:
        notes.append(f"found {around.users}, with users")
    return around, notes


def _free(usual: int, ports: list[int], notes: list[str]) -> str:
    port = free_port(usual, ports)
    if port != usual:
        notes.append(f"port {usual} is taken: it is {port}")
    ports.append(port)
    return f"127.0.0.1:{port}"


def _place(listen: str) -> str:
    bound = Bound.of(listen)
    host = bound.interface or "127.0.0.1"
    return f"[{host}]:{bound.port}" if ":" in host else f"{host}:{bound.port}"


def _names_in(folder: str) -> Callable[[str], str]:
    """What files are called in one that is in ``folder``."""

    def name(path: str) -> str:
        found = os.path.relpath(path, folder)
        return os.path.abspath(path) if found.startswith(os.pardir) else found

    return name


def _upstreams(given: Namespace) -> list[str]:
    if given.kind not in _TO_SERVERS:
        if given.upstream:
            raise ConfigError(f"--upstream: {given.kind} goes where clients want", "accepted is it without")
        return []
    parse_one = parse_tcp_upstream if given.kind == "tcp" else parse_upstream
    default = [_TCP_UPSTREAM if given.kind == "tcp" else _UPSTREAM]
    texts: list[str] = given.upstream or default
    for text in texts:
        _of_option("--upstream", text, parse_one)
    return texts


def _certificates(given: Namespace, folder: str) -> list[FoundCertificate]:
    if given.cert is not None:
        return [found_certificate(given.cert, given.key)]
    if given.key is not None:
        raise ConfigError("--key needs --cert FILE")
    return certificates_in_folder(folder)


def _users(given: Namespace, folder: str) -> str | None:
    if given.users is None:
        return users_in_folder(folder)
    if not os.path.isfile(given.users):
        raise ConfigError(f"--users {given.users}: there is no such file", "accepted is one of htpasswd")
    return str(given.users)


def _of_option(name: str, text: str, read: Callable[[str], T]) -> T:
    try:
        return read(text)
    except ConfigError as fault:
        raise fault.about(f"{name}: ") from None


def _write(file: str, text: str) -> None:
    """Make ``file``; what is there by now stays."""
    try:
        with open(file, "x", encoding="utf-8") as made:
            made.write(text)
    except OSError as fault:
        raise ConfigError(f"{file}: {fault.strerror or fault}", "accepted is a file that can be made") from None
