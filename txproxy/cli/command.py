"""The ``txproxy`` command: the modes as ``twistd -n`` runs them, and what helps to write a configuration."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Final

from txproxy.cli.arguments import Parser, wrong_call
from txproxy.errors import ConfigError

_USAGE = """\
Usage: txproxy forward [options]    on the clients' side: absolute-URI requests and CONNECT
       txproxy reverse [options]    on the servers' side: HTTP to a pool of upstreams
       txproxy tcp [options]        raw TCP streams to a pool of upstreams
       txproxy run --config FILE    all that a TOML file names, of any mode
       txproxy MODE --help          the options of a mode

       txproxy check FILE           read a configuration, and list every error in it
       txproxy import FILE          turn a squid.conf into a configuration, and say what could not be taken over
       txproxy explain --config FILE METHOD URL [-H 'NAME: VALUE'] [--client ADDRESS] [--user NAME]
                         [--listener NAME]
                                    what would be done with a request, and why
       txproxy cache list|stats|purge|warm [options]
                                    what a running proxy has stored, by its admin endpoint
       txproxy ctl VERB [options]   what a running proxy has at work, and changes of that, by its admin endpoint
       txproxy top [--once]         what a running proxy does, live
       txproxy demo                 three small upstreams, a reverse and a forward proxy, to try
       txproxy --version

The modes run in the foreground, as twistd -n txproxy MODE does, with the fastest reactor of this machine.
The exit status is 0 when all is well, 1 when it is not, and 2 for a wrong call.
Example: txproxy reverse --upstream http://127.0.0.1:8001
"""
# All that there is to say of them is in the usage.
_BRIEF: Final = ("check", "import", "demo")
MODES: Final = ("forward", "reverse", "tcp", "run")


def main(arguments: list[str] | None = None) -> None:
    """Run the command; ``SystemExit`` with 0 when all is well, 1 when not, 2 for a wrong call."""
    try:
        try:
            _main(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Who reads it has seen enough, such as head. What is left is nobody's to be told of.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(128 + signal.SIGPIPE) from None
    except KeyboardInterrupt:
        # While it starts: later the reactor has the signal. As the shell says it of a program that a signal ends.
        raise SystemExit(128 + signal.SIGINT) from None


def _main(arguments: list[str] | None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    first = arguments[0] if arguments else ""
    if first in MODES:
        _run_mode(arguments)
    elif first in ("--help", "-h") or (first in _BRIEF and arguments[1:] in (["--help"], ["-h"])):
        sys.stdout.write(_USAGE)
        raise SystemExit(0)
    elif first in _COMMANDS:
        raise SystemExit(_COMMANDS[first](arguments[1:]))
    elif first == "--version":
        from txproxy import __version__

        print(f"txproxy {__version__}")
        raise SystemExit(0)
    else:
        close = get_close_matches(first, (*MODES, *_COMMANDS), 1)
        meant = f" (is {close[0]} meant?)" if close else ""
        what = f"{' '.join(arguments)!r} is no call of txproxy{meant}" if arguments else "a command is needed"
        accepted = ", ".join((*MODES, *_COMMANDS, "--help", "--version"))
        raise SystemExit(wrong_call("", f"{what}; accepted: {accepted}"))


def _run_mode(arguments: list[str]) -> None:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Until it serves, Ctrl-C ends it at once: whoever loads plugins catches each exception, and goes on.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from twisted.scripts.twistd import run

    reactor = ["--reactor=txproxy"] if hasattr(select, "epoll") else []
    sys.argv = ["txproxy", "--nodaemon", "--pidfile=", *reactor, "txproxy", *arguments]
    run()


def _demo(arguments: Sequence[str]) -> int:
    if arguments:
        return wrong_call("demo", f"{' '.join(arguments)!r} is too much; accepted is nothing more")
    from txproxy.cli import demo

    if hasattr(select, "epoll"):
        from txproxy.reactor import install

        install()
    return demo.run()


def _check(arguments: Sequence[str]) -> int:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        return wrong_call("check", "accepted is txproxy check FILE")
    from txproxy.config.toml.file import load
    from txproxy.runtime.dry_run import rehearse

    file = arguments[0]
    try:
        config = load(file)
        rehearse(config)
    except ConfigError as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    for warning in config.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    print(f"{file}: ok")
    return 0


def _import(arguments: Sequence[str]) -> int:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        return wrong_call("import", "accepted is txproxy import FILE, for a squid.conf")
    from txproxy.importers.squid.translation import translate_file

    try:
        translation = translate_file(arguments[0])
    except ConfigError as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    sys.stdout.write(translation.toml)
    sys.stdout.flush()
    for note in translation.notes:
        sys.stderr.write(f"{note}\n")
    return 0


def _explain(arguments: Sequence[str]) -> int:
    parser = Parser(
        "txproxy explain",
        description="What would be done with a request, and why.",
        epilog="Example: txproxy explain --config proxy.toml GET http://shop.example/api/items",
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE", required=True, help="the TOML file that says what is done")
    parser.add_argument("method", metavar="METHOD")
    parser.add_argument("url", metavar="URL", help="for CONNECT: HOST:PORT")
    parser.add_argument(
        "-H",
        "--header",
        metavar="'NAME: VALUE'",
        action="append",
        default=[],
        help="a field of the request; repeatable",
    )
    parser.add_argument("--client", metavar="ADDRESS", default="127.0.0.1", help="the client's [default: 127.0.0.1]")
    parser.add_argument("--user", metavar="NAME", help="who it is taken to be [default: nobody who is known]")
    parser.add_argument("--listener", metavar="NAME", help="the one that gets the request [default: told by the URL]")
    from txproxy.runtime.explain import Question, explain

    try:
        given = parser.parse_intermixed_args(arguments)
        question = Question.of(given.method, given.url, given.header, given.client, given.listener, given.user)
    except ConfigError as fault:
        return wrong_call("explain", f"{fault}; txproxy explain --help lists what is accepted")
    from txproxy.config.toml.file import load

    try:
        text, found = explain(load(given.config), question)
    except ConfigError as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    print(text)
    return 0 if found else 1


def _cache(arguments: Sequence[str]) -> int:
    from txproxy.cli.cache_command import run

    return run(arguments)


def _ctl(arguments: Sequence[str]) -> int:
    from txproxy.cli.ctl_command import run

    return run(arguments)


def _top(arguments: Sequence[str]) -> int:
    from txproxy.cli.top_command import run

    return run(arguments)


_COMMANDS: Final[dict[str, Callable[[Sequence[str]], int]]] = {
    "check": _check,
    "import": _import,
    "explain": _explain,
    "cache": _cache,
    "ctl": _ctl,
    "top": _top,
    "demo": _demo,
}
