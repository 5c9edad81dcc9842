"""How the command, its modes and its commands are called, as the help says it."""

from __future__ import annotations

from typing import Final

# How each mode and command is called, and what it is for.
_CALLS: Final[dict[str, tuple[str, str]]] = {
    "forward": ("[options]", "on the clients' side: absolute-URI requests and CONNECT"),
    "reverse": ("[options]", "on the servers' side: HTTP to a pool of upstreams"),
    "tcp": ("[options]", "raw TCP streams to a pool of upstreams"),
    "run": ("--config FILE", "all that a TOML file names, of any mode"),
    "init": ("KIND [FILE] [options]", "write a first configuration: reverse, forward, egress, cache or tcp"),
    "check": ("[--watch] FILE...", "read a configuration, and list every error in it; or whenever it changes"),
    "fmt": ("[--check] [--diff] FILE...", "put a configuration into one form, with its comments"),
    "import": (
        "[--from squid|nginx] FILE",
        "turn a squid.conf or an nginx.conf into a configuration, and say what could not be taken over",
    ),
    "explain": (
        "--config FILE METHOD URL [-H 'NAME: VALUE'] [--client ADDRESS] [--user NAME] [--listener NAME]",
        "what would be done with a request, and why",
    ),
    "cache": ("list|stats|purge|warm [options]", "what a running proxy has stored, by its admin endpoint"),
    "ctl": ("VERB [options]", "what a running proxy has at work, and changes of that, by its admin endpoint"),
    "top": ("[--once]", "what a running proxy does, live"),
    "docs": ("[PAGE] [--print]", "the documentation, in a browser"),
    "completion": ("bash|zsh|fish", "what has a shell complete options, for a file of it"),
    "demo": ("", "three small upstreams, a reverse and a forward proxy, to try"),
}
ABOUT: Final = {name: about for name, (_, about) in _CALLS.items()}
MODES: Final = ("forward", "reverse", "tcp", "run")
_COLUMN: Final = 37


def call_of(name: str) -> str:
    """How a mode or command is called."""
    return f"txproxy {name} {_CALLS[name][0]}".rstrip()


def _call(name: str) -> str:
    """The lines of the usage about one of them."""
    call = call_of(name)
    room = _COLUMN - len("Usage: ")
    return f"{call:{room}}{ABOUT[name]}" if len(call) < room else f"{call}\n{' ' * _COLUMN}{ABOUT[name]}"


def usage() -> str:
    """What ``txproxy --help`` says."""
    # Whoever runs a mode does not wait for what helps.
    from txproxy.cli.reference.docs_command import address

    modes = [*map(_call, MODES), f"{'txproxy MODE --help':{_COLUMN - len('Usage: ')}}the options of a mode"]
    commands = [*(_call(name) for name in _CALLS if name not in MODES), "txproxy --version"]
    indent = "\n" + " " * len("Usage: ")
    return f"""\
Usage: {indent.join(modes)}
{indent}{indent.join(commands)}

The modes run in the foreground, as twistd -n txproxy MODE does, with the fastest reactor of this machine.
The exit status is 0 when all is well, 1 when it is not, and 2 for a wrong call.
Documentation: txproxy docs, which is {address()}
Examples:
  txproxy reverse --upstream http://127.0.0.1:8001
  txproxy forward --allow-host .example.com
  txproxy run --config proxy.toml
"""


def brief_usage(name: str) -> str:
    """What the help of a command says that has no options."""
    from txproxy.cli.reference.examples import examples_of

    return f"Usage: {_call(name)}\n\n{examples_of(name)}"
