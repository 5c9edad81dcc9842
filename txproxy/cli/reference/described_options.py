"""The options of modes and commands as values, for whoever writes of them: the documentation, and completion."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs

from txproxy.cache.rules.cache_settings import CacheSettings
from txproxy.cli import cache_command, ctl_command, explain_command, top_command
from txproxy.cli.admin_client import add_arguments
from txproxy.cli.arguments import Parser
from txproxy.cli.files import check_command, fmt_command, init_command
from txproxy.cli.files.first_files import FIRST_FILES
from txproxy.cli.options.forward import ForwardOptions
from txproxy.cli.options.pools import ReverseOptions, TcpOptions
from txproxy.cli.options.run import RunOptions
from txproxy.cli.options.shared import ListenerOptions, Mode
from txproxy.cli.reference import docs_command
from txproxy.cli.reference.usage_text import ABOUT
from txproxy.cli.verb_command import CommandVerb
from txproxy.components.settings import settings_of
from txproxy.config.log_lines import NAMED_LINES
from txproxy.forward.mode import FORWARDED_FOR_MODES
from txproxy.proxy.limits import Limits
from txproxy.tls.hardening import MIN_VERSIONS
from txproxy.upstreams.balancing.strategies import NAMES
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.upstreams.pool_settings import PoolSettings

FILE: Final = "FILE"
DIRECTORY: Final = "DIR"
MODES: Final[Mapping[str, type[Mode]]] = {
    one.name: one for one in (ForwardOptions, ReverseOptions, TcpOptions, RunOptions)
}
_SETTINGS: Final = (Limits, PoolSettings, HealthCheck, CacheSettings)
# How a value of each kind of setting is written; the others are numbers.
_KINDS: Final = {"duration": "DURATION", "directory": DIRECTORY, "rate": "RATE"}
# What is written after the options that are no settings. Those that methods read have the name of what those take.
_VALUES: Final = {
    "access-log": FILE,
    "access-log-format": "FORMAT",
    "admin": "ENDPOINT",
    "admin-token-file": FILE,
    "auth-file": FILE,
    "balance": "STRATEGY",
    "config": FILE,
    "forwarded-for": "MODE",
    "health-check": "PATH",
    "host": "HOST",
    "http2": "on|off",
    "rate-limit": "RATE",
    "sticky": "KIND",
    "tls-ciphers": "LIST",
    "tls-client-ca": FILE,
    "tls-min-version": "VERSION",
    "upstream-alpn": "PROTOCOLS",
    "upstream-ca": FILE,
    "upstream-cert": FILE,
    "upstream-key": FILE,
    "via": "NAME",
    "workers": "N",
}
# The words that are taken, where there is a list of them.
_WORDS: Final[Mapping[str, Sequence[str]]] = {
    "access-log-format": NAMED_LINES,
    "balance": tuple(name for name in NAMES if ":" not in name),
    "forwarded-for": FORWARDED_FOR_MODES,
    "http2": ("on", "off"),
    "sticky": ("cookie", "ip"),
    "tls-min-version": tuple(MIN_VERSIONS),
    "workers": ("auto",),
}


@attrs.frozen
class DescribedOption:
    """An option: what it is called (``--name``, and shorter names), what is written after it (empty for a flag), what
    its help says, and the words that it takes if there is a list of them.
    """

    names: tuple[str, ...]
    value: str
    about: str
    words: tuple[str, ...] = ()


@attrs.frozen
class DescribedCommand:
    """A mode, a command or a verb of one (``verbs``): its options, and what stands bare after it (``takes``)."""

    name: str
    about: str
    options: tuple[DescribedOption, ...] = ()
    verbs: tuple[DescribedCommand, ...] = ()
    takes: str = ""
    words: tuple[str, ...] = ()


def described_options(mode: type[Mode]) -> tuple[DescribedOption, ...]:
    """The options of a mode, in the order of their names."""
    made = mode()
    taken = {name.removesuffix("=") for name in made.longOpt if name.endswith("=")}
    names = sorted({name.removesuffix("=") for name in made.longOpt} - {"help", "version"})
    found = []
    for name in names:
        value = _value(mode, name) if name in taken else ""
        found.append(DescribedOption((f"--{name}",), value, _about(made, name), tuple(_WORDS.get(name, ()))))
    return tuple(found)


def _value(mode: type[Mode], name: str) -> str:
    method: Callable[..., None] | None = getattr(mode, f"opt_{name.replace('-', '_')}", None)
    if method is not None:
        return list(inspect.signature(method).parameters)[-1].upper()
    kinds = [one.kind for kind in _SETTINGS for one in settings_of(kind).values() if one.option == name]
    if kinds:
        return _KINDS.get(kinds[0], "SIZE" if kinds[0].startswith("size") else "N")
    return _VALUES[name]


def _about(made: Mode, name: str) -> str:
    about = made.docs.get(name) or " ".join((getattr(made, f"opt_{name.replace('-', '_')}").__doc__ or "").split())
    default = made.defaults.get(name)
    # As the help of the mode has it.
    return about if default in (None, 0) or "[default:" in about else f"{about} [default: {default}]"


def shared_names() -> frozenset[str]:
    """The options that all modes have which are one listener, but for those that each has in its own way."""
    return frozenset(option.names[0] for option in described_options(ListenerOptions)) - {"--listen"}


# -- commands

_FROM: Final = DescribedOption(("--from",), "KIND", "whose file it is [default: as it looks]", ("squid", "nginx"))


def described_commands() -> tuple[DescribedCommand, ...]:
    """All that ``txproxy`` takes first: modes, then commands."""
    modes = [DescribedCommand(name, ABOUT[name], described_options(mode)) for name, mode in MODES.items()]
    others = [
        DescribedCommand(
            "init", ABOUT["init"], _arguments(init_command.make_parser()), takes="KIND", words=tuple(FIRST_FILES)
        ),
        DescribedCommand("check", ABOUT["check"], _arguments(check_command.make_parser()), takes=FILE),
        DescribedCommand("fmt", ABOUT["fmt"], _arguments(fmt_command.make_parser()), takes=FILE),
        DescribedCommand("import", ABOUT["import"], (_FROM,), takes=FILE),
        DescribedCommand("explain", ABOUT["explain"], _arguments(explain_command.make_parser()), takes="METHOD"),
        DescribedCommand("cache", ABOUT["cache"], verbs=_verbs(cache_command.VERBS)),
        DescribedCommand("ctl", ABOUT["ctl"], verbs=_verbs(ctl_command.VERBS)),
        DescribedCommand("top", ABOUT["top"], _arguments(top_command.make_parser())),
        DescribedCommand(
            "docs",
            ABOUT["docs"],
            _arguments(docs_command.make_parser()),
            takes="PAGE",
            words=tuple(docs_command.page_words()),
        ),
        DescribedCommand("completion", ABOUT["completion"], takes="SHELL", words=("bash", "zsh", "fish")),
        DescribedCommand("demo", ABOUT["demo"]),
    ]
    return (*modes, *others)


def _verbs(verbs: Mapping[str, CommandVerb]) -> tuple[DescribedCommand, ...]:
    found = []
    for name, verb in verbs.items():
        parser = Parser(name, add_help=False)
        verb.add(parser)
        add_arguments(parser)
        found.append(DescribedCommand(name, verb.about, _arguments(parser)))
    return tuple(found)


def _arguments(parser: argparse.ArgumentParser) -> tuple[DescribedOption, ...]:
    return tuple(
        DescribedOption(
            tuple(sorted(one.option_strings, key=len, reverse=True)),
            "" if one.nargs == 0 else " ".join([one.metavar] if isinstance(one.metavar, str) else one.metavar or ()),
            one.help or "",
            tuple(map(str, one.choices or ())),
        )
        for one in parser._actions
        if one.option_strings and "--help" not in one.option_strings
    )
