"""Completion for zsh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from txproxy.cli.reference.described_options import DIRECTORY, FILE, DescribedCommand, DescribedOption

_HEAD: Final = """\
#compdef txproxy
# Completion of txproxy for zsh; made of its options, by txproxy completion zsh.
_txproxy() {
  local curcontext=$curcontext state line
"""


def zsh(commands: Sequence[DescribedCommand]) -> str:
    """The script."""
    first = f"'1:command:{_choices(commands)}' '--help[what there is]' '--version[the version]'"
    lines = [f"  _arguments -C {first} '*::argument:->argument' && return", "  case $words[1] in"]
    for one in commands:
        lines.append(f"    {one.name})")
        if one.verbs:
            lines.append(f"      _arguments -C '1:verb:{_choices(one.verbs)}' '*::argument:->argument' && return")
            lines.append("      case $words[1] in")
            for verb in one.verbs:
                lines += [f"        {verb.name})", *_arguments(verb, " " * 10), "          ;;"]
            lines.append("      esac")
        else:
            lines += _arguments(one, " " * 6)
        lines.append("      ;;")
    return "\n".join([_HEAD.rstrip(), *lines, "  esac", "}", '_txproxy "$@"', ""])


def _choices(commands: Sequence[DescribedCommand]) -> str:
    return f"(({' '.join(_choice(one) for one in commands)}))"


def _choice(one: DescribedCommand) -> str:
    about = _escaped(one.about, '\\"$`:')
    return f'{one.name}\\:"{about}"'


def _escaped(text: str, letters: str) -> str:
    """With a backslash before these letters, to stand between single quotes."""
    return "".join(f"\\{letter}" if letter in letters else letter for letter in text).replace("'", "'\\''")


def _arguments(one: DescribedCommand, indent: str) -> list[str]:
    found = []
    for option in one.options:
        about = _escaped(option.about, "\\[]:")
        for name in option.names:
            equals = "=" if option.value and name.startswith("--") else ""
            found.append(f"'*{name}{equals}[{about}]{_value(option)}'")
    found.append("'--help[what there is]'")
    if one.words:
        found.append(f"'1:{one.takes}:({' '.join(one.words)})'")
    elif one.takes == FILE:
        found.append(f"'1:{one.takes}:_files'")
    return [f"{indent}_arguments \\", *(f"{indent}  {line} \\" for line in found[:-1]), f"{indent}  {found[-1]}"]


def _value(option: DescribedOption) -> str:
    if not option.value:
        return ""
    value = _escaped(option.value, "\\:")
    if option.words:
        return f":{value}:({' '.join(option.words)})"
    acts = {FILE: "_files", DIRECTORY: "_files -/"}
    return f":{value}:{acts.get(option.value, ' ')}"
