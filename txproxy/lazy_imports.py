"""Packages that give names of their modules, and import a module when one of its names is asked for.

Who imports one module of a package would import all others with it otherwise: a web server, say, for a forward proxy.
"""

from __future__ import annotations

from sys import modules

# As in typing: see the package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def lazily(package: str, names: Mapping[str, Iterable[str]]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of ``package`` (PEP 562), which has the ``names`` of each module."""
    homes = {name: module for module, of_module in names.items() for name in of_module}

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        # Not by importlib, which takes as long to load as what the command is made of until Ctrl-C ends it.
        __import__(homes[name])
        value = getattr(modules[homes[name]], name)
        # The next one who asks finds it at once.
        setattr(modules[package], name, value)
        return value

    def names_of() -> list[str]:
        return sorted({*vars(modules[package]), *homes})

    return get, names_of
