"""Completion for fish."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from txproxy.cli.reference.described_options import DIRECTORY, FILE, DescribedCommand, DescribedOption

_HEAD: Final = """\
# Completion of txproxy for fish; made of its options, by txproxy completion fish.
complete -c txproxy -f
complete -c txproxy -n __fish_use_subcommand -l version -d 'the version'
complete -c txproxy -l help -d 'what there is'
"""


def fish(commands: Sequence[DescribedCommand]) -> str:
    """The script."""
    lines = [_HEAD.rstrip()]
    for one in commands:
        lines.append(f"complete -c txproxy -n __fish_use_subcommand -a {one.name} -d {_quoted(one.about)}")
        called = f"__fish_seen_subcommand_from {one.name}"
        if not one.verbs:
            lines += _options(one, called)
        for verb in one.verbs:
            first = f"{called}; and not __fish_seen_subcommand_from {' '.join(other.name for other in one.verbs)}"
            lines.append(f"complete -c txproxy -n '{first}' -a {verb.name} -d {_quoted(verb.about)}")
            lines += _options(verb, f"{called}; and __fish_seen_subcommand_from {verb.name}")
    return "\n".join([*lines, ""])


def _options(one: DescribedCommand, called: str) -> Iterator[str]:
    if one.words:
        yield f"complete -c txproxy -n '{called}' -a '{' '.join(one.words)}'"
    elif one.takes == FILE:
        yield f"complete -c txproxy -n '{called}' -F"
    for option in one.options:
        names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
        yield f"complete -c txproxy -n '{called}' {names}{_value(option)} -d {_quoted(option.about)}"


def _value(option: DescribedOption) -> str:
    if not option.value:
        return ""
    if option.words:
        return f" -x -a '{' '.join(option.words)}'"
    acts = {FILE: " -r -F", DIRECTORY: " -x -a '(__fish_complete_directories)'"}
    return acts.get(option.value, " -x")


def _quoted(text: str) -> str:
    kept = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{kept}'"
