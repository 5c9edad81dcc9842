"""What a value of a configuration takes, is without being told, and is for: said once, at its attribute.

Files and options take it from there: the name of the attribute is the key, and its option is the same with hyphens. How
each kind of value is written is known to ``components/values``, and to nobody here.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from txproxy.frozen_values import frozen

_KEY: Final = "setting"


@frozen(kw_only=True)
class Setting:
    """A value of a configuration: its ``kind``, and its ``default``. If it is an option as well, ``option`` is the name
    of that, and ``about`` what its help says. ``written`` is the default as people would write it. ``formerly`` is what
    the key was called before, which files may still say.
    """

    key: str
    kind: str
    default: Any
    option: str = ""
    about: str = ""
    written: str = ""
    formerly: str = ""


def setting(
    kind: str, default: Any, about: str = "", *, written: str = "", option: str = "", formerly: str = "", **more: Any
) -> Any:
    """An attribute of a class of attrs that is a :class:`Setting`, with what ``attrs.field`` takes. One with an
    ``about`` is an option.
    """
    metadata = {_KEY: (kind, about, written, option, formerly)}
    return attrs.field(default=default, metadata=metadata, **more)


def settings_of(kind: type) -> dict[str, Setting]:
    """Those of a class, by their keys, in order."""
    found = {}
    for field in attrs.fields(kind):
        if _KEY in field.metadata:
            what, about, written, option, formerly = field.metadata[_KEY]
            found[field.name] = Setting(
                key=field.name,
                kind=what,
                default=field.default,
                option=(option or field.name.replace("_", "-")) if about else "",
                about=about,
                written=written or _written(field.default),
                formerly=formerly,
            )
    return found


def _written(default: object) -> str:
    if default is None:
        return "none"
    return f"{default:g}" if isinstance(default, float) else str(default)


def default_of(kind: type, key: str) -> Any:
    """What the attribute of a class is where nobody says anything, of values whose text is read elsewhere."""
    return getattr(attrs.fields(kind), key).default
