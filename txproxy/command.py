"""The ``txproxy`` command: the modes as ``twistd -n`` runs them, and the demonstration."""

from __future__ import annotations

import select
import sys

_USAGE = """\
Usage: txproxy forward [options]    on the clients' side: absolute-URI requests and CONNECT
       txproxy reverse [options]    on the servers' side: HTTP to a pool of upstreams
       txproxy tcp [options]        raw TCP streams to a pool of upstreams
       txproxy demo                 three small upstreams, a reverse and a forward proxy, to try
       txproxy MODE --help          the options of a mode
       txproxy --version

The modes run in the foreground, as twistd -n txproxy MODE does, with the fastest reactor of this machine.
Example: txproxy reverse --upstream http://127.0.0.1:8001
"""
MODES = ("forward", "reverse", "tcp")


def main(arguments: list[str] | None = None) -> None:
    """Run the command; ``SystemExit`` with 0 when all is well, 1 when not, 2 for a wrong call."""
    arguments = sys.argv[1:] if arguments is None else arguments
    first = arguments[0] if arguments else ""
    if first in MODES:
        _run_mode(arguments)
    elif first == "demo" and len(arguments) == 1:
        from txproxy import demo

        _install_fastest_reactor()
        raise SystemExit(demo.run())
    elif first in ("--help", "-h"):
        sys.stdout.write(_USAGE)
        raise SystemExit(0)
    elif first == "--version":
        from txproxy import __version__

        print(f"txproxy {__version__}")
        raise SystemExit(0)
    else:
        what = f"{' '.join(arguments)!r} is no call of txproxy" if arguments else "a command is needed"
        sys.stderr.write(f"txproxy: {what}; accepted: {', '.join(MODES)}, demo, --help, --version\n")
        raise SystemExit(2)


def _run_mode(arguments: list[str]) -> None:
    from twisted.scripts.twistd import run

    reactor = ["--reactor=txproxy"] if hasattr(select, "epoll") else []
    sys.argv = ["txproxy", "--nodaemon", "--pidfile=", *reactor, "txproxy", *arguments]
    run()


def _install_fastest_reactor() -> None:
    if hasattr(select, "epoll"):
        from txproxy.reactor import install

        install()
