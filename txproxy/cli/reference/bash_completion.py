"""Completion for bash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from txproxy.cli.reference.described_options import DIRECTORY, FILE, DescribedCommand, DescribedOption

_SCRIPT: Final = """\
# Completion of txproxy for bash; made of its options, by txproxy completion bash.
_txproxy() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} called=${COMP_WORDS[1]} after=1
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        COMPREPLY=($(compgen -W '@COMMANDS --help --version' -- "$cur"))
        return
    fi
    case $called in
        @WITH_VERBS)
            after=2 called="$called ${COMP_WORDS[2]}"
            ;;
    esac
    case "$called $prev" in
@VALUES
    esac
    local words= files=
    case $called in
@OPTIONS
    esac
    if [ "$COMP_CWORD" -gt "$after" ]; then
        COMPREPLY=($(compgen -W "$words --help" -- "$cur"))
        [ -z "$files" ] || COMPREPLY+=($(compgen -f -- "$cur"))
        return
    fi
    case ${COMP_WORDS[1]} in
@VERBS
    esac
}
complete -o filenames -F _txproxy txproxy
"""


def bash(commands: Sequence[DescribedCommand]) -> str:
    """The script."""
    # What completes a value, and the words before it.
    values: dict[str, list[str]] = {}
    for called, one in _all(commands):
        for option in one.options:
            if option.value:
                values.setdefault(_value(option), []).extend(f"'{called} {name}'" for name in option.names)
    parts = {
        "@COMMANDS": " ".join(one.name for one in commands),
        "@WITH_VERBS": "|".join(one.name for one in commands if one.verbs),
        "@VALUES": "\n".join(_case("|".join(asked), act, "return") for act, asked in values.items()),
        "@OPTIONS": "\n".join(
            _case(f"'{called}'", f"words='{_words(one)}' files={'yes' if one.takes == FILE else ''}")
            for called, one in _all(commands)
        ),
        "@VERBS": "\n".join(
            _case(one.name, _one_of([*(verb.name for verb in one.verbs), "--help"])) for one in commands if one.verbs
        ),
    }
    script = _SCRIPT
    for name, text in parts.items():
        script = script.replace(name, text)
    return script


def _all(commands: Sequence[DescribedCommand]) -> Iterator[tuple[str, DescribedCommand]]:
    """What has options of its own, by all of its words."""
    for one in commands:
        if one.verbs:
            yield from ((f"{one.name} {verb.name}", verb) for verb in one.verbs)
        else:
            yield one.name, one


def _case(pattern: str, *acts: str) -> str:
    return "\n".join([f"        {pattern})", *(f"            {act}" for act in acts), "            ;;"])


def _value(option: DescribedOption) -> str:
    if option.words:
        return _one_of(option.words)
    kinds = {FILE: "-f", DIRECTORY: "-d"}
    return f'COMPREPLY=($(compgen {kinds[option.value]} -- "$cur"))' if option.value in kinds else ":"


def _one_of(words: Sequence[str]) -> str:
    return f"COMPREPLY=($(compgen -W '{' '.join(words)}' -- \"$cur\"))"


def _words(one: DescribedCommand) -> str:
    return " ".join([*(name for option in one.options for name in option.names), *one.words])
