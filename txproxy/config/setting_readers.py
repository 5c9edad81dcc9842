"""Settings from a file and from options, by what stands at their attributes (``components/settings``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from txproxy.components.settings import Setting, settings_of
from txproxy.components.values import KINDS
from txproxy.config.toml.tables import Table


def _as_it_is(key: str, value: Any) -> Any:
    return value


def read_settings(
    table: Table, kind: type, defaults: object, checked: Callable[[str, Any], Any] = _as_it_is
) -> dict[str, Any]:
    """What a table says of the settings of a class; what it does not say is as in ``defaults``. ``checked`` gets the
    key and the value of each, and gives the value or a ``ConfigError``.
    """

    def read(one: Setting) -> Any:
        take = KINDS[one.kind].read
        key = one.key
        if one.formerly and one.formerly in table:
            if key in table:
                table.fault(f"it is called {key} now, which is there as well", one.formerly, accepted="accepted is one")
            else:
                key = one.formerly
        return table.read(key, lambda value: checked(one.key, take(value)), getattr(defaults, one.key))

    return {key: read(one) for key, one in settings_of(kind).items()}


def options_of(kind: type) -> list[list[object]]:
    """The options that are settings of a class, as ``twisted.python.usage`` takes them."""
    return [_option(one) for one in settings_of(kind).values() if one.option]


def _option(one: Setting) -> list[object]:
    if one.default is None:
        # There is no text that would mean it.
        return [one.option, None, None, f"{one.about} [default: {one.written}]"]
    return [one.option, None, one.written, one.about]


def parse_options(
    given: Mapping[str, Any],
    kind: type,
    parsed: Callable[[str, Callable[[str], Any]], Any],
    checked: Callable[[str, Any], Any] = _as_it_is,
) -> dict[str, Any]:
    """What options say of the settings of a class. ``parsed`` gets the name of one, and what takes its text;
    ``checked`` is as for files.
    """

    def parse(one: Setting) -> Any:
        if given[one.option] is None:
            return one.default
        take = KINDS[one.kind].parse
        return parsed(one.option, lambda text: checked(one.key, take(text)))

    return {key: parse(one) for key, one in settings_of(kind).items() if one.option}
