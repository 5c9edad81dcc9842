"""Modules from folders that a configuration names: found where nothing else is, and kept as they were read.

Python alone would take whatever lies there at the time when each process imports it. Here what was read once stays, for
the processes of a proxy that begin later as well, until somebody asks for what has changed.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from types import ModuleType
from typing import Final

import attrs

from txproxy.frozen_values import frozen

# of the file of a module, after its name
_ENDS: Final = (".py", f"{os.sep}__init__.py", "")
# what is never one of these, even where the folder of the proxy itself is named
_OURS: Final = "txproxy"


@frozen
class OwnModule:
    """A module as it was read: its dotted ``name``, its file, whether that is a package's, and its ``source``."""

    name: str
    file: str
    package: bool
    source: bytes = attrs.field(repr=False)


class OwnModules:
    """A finder of modules (see ``sys.meta_path``) for those in ``folders``. ``generation`` counts how often what has
    changed was taken, in all processes alike.
    """

    def __init__(self) -> None:
        self.folders: list[str] = []
        self.known: dict[str, OwnModule] = {}
        self.generation = 0
        # the first words of their names
        self._tops: set[str] = set()

    # Python's own names for what a finder has.
    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module is, if it is one of these."""
        known = self.known.get(fullname)
        if known is None:
            return self._spec(fullname, path)
        folders = [os.path.dirname(known.file)] if known.package else None
        loader = _OwnLoader(fullname, known.file, self)
        return spec_from_file_location(fullname, known.file, loader=loader, submodule_search_locations=folders)

    def _spec(self, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
        top = name.partition(".")[0]
        if path is None:
            if not self._may_have(name):
                return None
            # None of them takes the place of a module that is installed.
            path = sys.path
        elif top not in self._tops:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is None:
            return None
        if top == name and not self._is_in_folder(spec):
            return None
        self._tops.add(top)
        if spec.origin is None or not isinstance(spec.loader, SourceFileLoader):
            # A folder without a file of its own, or nothing that Python reads as text.
            return None
        loader = _OwnLoader(name, spec.origin, self)
        folders = spec.submodule_search_locations
        return spec_from_file_location(name, spec.origin, loader=loader, submodule_search_locations=folders)

    def _may_have(self, name: str) -> bool:
        if name == _OURS:
            return False
        return any(os.path.exists(os.path.join(folder, name + end)) for folder in self.folders for end in _ENDS)

    def _is_in_folder(self, spec: ModuleSpec) -> bool:
        """Right there: what lies further down, such as an environment with all that is installed, is none of these."""
        places = list(spec.submodule_search_locations or ()) or [spec.origin or ""]
        return any(os.path.dirname(place) in self.folders for place in places)

    def forget(self) -> None:
        """Have all of them imported anew, by who asks for them next."""
        for name in self.known:
            sys.modules.pop(name, None)
        self.known = {}
        importlib.invalidate_caches()


class _OwnLoader(SourceFileLoader):
    """Reads a source once. There is no compiled file for it: that would be good for another source of the same second
    and size as well.
    """

    def __init__(self, name: str, file: str, modules: OwnModules) -> None:
        super().__init__(name, file)
        self._modules = modules

    def path_stats(self, path: str) -> dict[str, float]:
        """Of what is compiled already; nothing is."""
        raise OSError

    def get_data(self, path: str) -> bytes:
        """The source."""
        known = self._modules.known.get(self.name)
        if known is not None and known.file == path:
            return known.source
        data = super().get_data(path)
        if path == self.path:
            package = os.path.basename(path) == "__init__.py"
            self._modules.known[self.name] = OwnModule(self.name, path, package, data)
        return data


def own_modules() -> OwnModules:
    """Those of this process."""
    for finder in sys.meta_path:
        if isinstance(finder, OwnModules):
            return finder
    made = OwnModules()
    # Before Python's own, which would find them as well.
    place = sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else len(sys.meta_path)
    sys.meta_path.insert(place, made)
    return made


def use_path(folders: Iterable[str]) -> None:
    """Have modules in these folders imported as well, for as long as the process lives. They come last, so that none
    takes the place of a module that is installed.
    """
    folders = [os.path.normpath(folder) for folder in folders]
    if not folders:
        return
    modules = own_modules()
    modules.folders += [folder for folder in folders if folder not in modules.folders]
    sys.path += [folder for folder in folders if folder not in sys.path]
    importlib.invalidate_caches()


def read_modules() -> tuple[OwnModule, ...]:
    """All that were read, for other processes."""
    return tuple(sorted(own_modules().known.values(), key=lambda one: one.name))


def take_changes() -> int:
    """If one of those that were read is another by now, have all of them imported anew. Gives how often that was so."""
    modules = own_modules()
    if any(_differs(one) for one in modules.known.values()):
        modules.forget()
        modules.generation += 1
    return modules.generation


def _differs(one: OwnModule) -> bool:
    try:
        with open(one.file, "rb") as file:
            return file.read() != one.source
    except OSError:
        return True


def adopt(read: Iterable[OwnModule]) -> None:
    """Have these as another process has read them, whatever lies there by now."""
    modules = own_modules()
    wanted = {one.name: one for one in read}
    if any(modules.known.get(name, one) != one for name, one in wanted.items()):
        modules.forget()
    modules.known.update(wanted)
