"""The ``txproxy`` command: the modes as ``twistd -n`` runs them, and what helps to write a configuration."""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Final

from txproxy.cli.arguments import wrong_call
from txproxy.cli.reference.usage_text import MODES, brief_usage, usage
from txproxy.errors import ConfigError

# Those that ask a running proxy, and print what it says.
_ASKING: Final = ("cache", "ctl")
# All that there is to say of them is how they are called.
_BRIEF: Final = ("import", "completion", "demo")


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
    elif first in ("--help", "-h"):
        sys.stdout.write(usage())
        raise SystemExit(0)
    elif first in _BRIEF and arguments[1:] in (["--help"], ["-h"]):
        sys.stdout.write(brief_usage(first))
        raise SystemExit(0)
    elif first in _ASKING:
        with _interrupted_at_once():
            raise SystemExit(_COMMANDS[first](arguments[1:]))
    elif first in _COMMANDS:
        raise SystemExit(_COMMANDS[first](arguments[1:]))
    elif first == "--version":
        from txproxy import __version__

        print(f"txproxy {__version__}")
        raise SystemExit(0)
    else:
        close = get_close_matches(first, (*MODES, *_COMMANDS, "--help", "--version"), 1)
        meant = f" (is {close[0]} meant?)" if close else ""
        what = f"{' '.join(arguments)!r} is no call of txproxy{meant}" if arguments else "a command is needed"
        accepted = ", ".join((*MODES, *_COMMANDS, "--help", "--version"))
        raise SystemExit(wrong_call("", f"{what}; accepted: {accepted}"))


@contextmanager
def _interrupted_at_once() -> Iterator[None]:
    """Ctrl-C ends the process, as it does programs that say nothing of it. By itself Python looks whether there was a
    signal before it waits for an answer, and waits in spite of one that comes just then.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _run_mode(arguments: list[str]) -> None:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Until it serves, Ctrl-C ends it at once: whoever loads plugins catches each exception, and goes on.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Most of what is made from here on stays, and the collector would look at it again and again. It is told of all at
    # once, and set to work, when the proxy serves.
    gc.disable()
    from txproxy.cli.foreground import run

    run(arguments, own_reactor=hasattr(select, "epoll"))


def _demo(arguments: Sequence[str]) -> int:
    if arguments:
        return wrong_call("demo", f"{' '.join(arguments)!r} is too much; accepted is nothing more")
    from txproxy.cli import demo

    if hasattr(select, "epoll"):
        from txproxy.reactor import install

        install()
    return demo.run()


def _check(arguments: Sequence[str]) -> int:
    from txproxy.cli.files.check_command import run

    return run(arguments)


def _init(arguments: Sequence[str]) -> int:
    from txproxy.cli.files.init_command import run

    return run(arguments)


def _fmt(arguments: Sequence[str]) -> int:
    from txproxy.cli.files.fmt_command import run

    return run(arguments)


def _import(arguments: Sequence[str]) -> int:
    from txproxy.importers.recognition import KINDS, translate_file

    words, kind = list(arguments), None
    if words[:1] == ["--from"]:
        kind = "".join(words[1:2])
        del words[:2]
        if kind not in KINDS:
            return wrong_call("import", f"--from: {kind!r} is no kind of file; accepted: {', '.join(KINDS)}")
    option = next((word for word in words if word.startswith("-")), None)
    if len(words) != 1 or option is not None:
        what = f"{option} is no option here" if option is not None else "one FILE is needed"
        usage = "accepted is txproxy import FILE, or txproxy import --from squid|nginx FILE"
        return wrong_call("import", f"{what}; {usage}")
    try:
        translation = translate_file(words[0], kind)
    except ConfigError as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    sys.stdout.write(translation.toml)
    sys.stdout.flush()
    for note in translation.notes:
        sys.stderr.write(f"{note}\n")
    return 0


def _explain(arguments: Sequence[str]) -> int:
    from txproxy.cli.explain_command import run

    return run(arguments)


def _cache(arguments: Sequence[str]) -> int:
    from txproxy.cli.cache_command import run

    return run(arguments)


def _ctl(arguments: Sequence[str]) -> int:
    from txproxy.cli.ctl_command import run

    return run(arguments)


def _top(arguments: Sequence[str]) -> int:
    from txproxy.cli.top_command import run

    return run(arguments)


def _docs(arguments: Sequence[str]) -> int:
    from txproxy.cli.reference.docs_command import run

    return run(arguments)


def _completion(arguments: Sequence[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in ("bash", "zsh", "fish"):
        return wrong_call("completion", "accepted is txproxy completion bash, zsh or fish")
    from txproxy.cli.reference.completion import completion

    sys.stdout.write(completion(arguments[0]))
    return 0


_COMMANDS: Final[dict[str, Callable[[Sequence[str]], int]]] = {
    "init": _init,
    "check": _check,
    "fmt": _fmt,
    "import": _import,
    "explain": _explain,
    "cache": _cache,
    "ctl": _ctl,
    "top": _top,
    "docs": _docs,
    "completion": _completion,
    "demo": _demo,
}
