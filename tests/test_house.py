"""The house's habits: who imports whom (downwards only, and never in a circle), what names and folders may be like, and
that what is public says what it is.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "txproxy"

# From the ground up. Who stands on a layer may import from those below it; rooms of one layer do not know each other.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "file_stamps", "frozen_values", "instance_names", "lazy_imports", "plain_values"),
    ("components", "matching"),
    ("wire",),
    ("interfaces",),
    ("net", "tls", "auth", "limits", "cache", "cluster"),
    ("proxy", "upstreams"),
    ("forward", "reverse", "stream"),
    ("observe",),
    ("config", "importers"),
    ("admin",),
    ("runtime",),
    ("service",),
    ("cli",),
    ("tap",),
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
# What stands beside the layers, and what of txproxy it may import: None is anything but `testing`.
BESIDE: dict[str, set[str] | None] = {
    "": None,  # txproxy/__init__.py, which only re-exports
    "__main__": {"cli"},
    "reactor": {"net"},  # it knows the fast transports by name
    "testing": None,
}
# Beyond the standard library, these import nothing else.
STANDING_ALONE = {
    "errors": set(),
    "file_stamps": {"attrs"},
    "frozen_values": {"attrs"},
    "instance_names": set(),
    "lazy_imports": set(),
    "plain_values": {"attrs"},
    "components": {"txproxy", "attrs"},
    "matching": {"txproxy", "attrs"},
    "wire": {"txproxy", "attrs"},
}
# They do not know each other, though some stand on a layer above.
SIBLINGS = {"forward", "reverse", "stream", "limits", "cache"}
OBSERVE_IS_FOR = {"observe", "config", "admin", "runtime", "tap", "testing"}

MOST_IN_A_FOLDER = 14
# What a room may have though another has it as well: each tells nothing without its room.
SHARED_NAMES = frozenset(
    {"mode", "policy", "pipeline", "middleware", "base", "http1", "http2", "http3"}
    | {"server", "client", "body", "framing", "__init__", "__main__"}
)


def _sources() -> dict[str, Path]:
    """Each module's dotted name, and its file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


SOURCES = _sources()


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(SOURCES[module].read_text(), str(SOURCES[module]))


@cache
def _imports(module: str) -> list[tuple[int, str]]:
    """Line and dotted name of all that is imported, also in functions and under ``if TYPE_CHECKING``."""
    return [*_named(module, ast.walk(_tree(module)))]


def _named(module: str, nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Line and dotted name of what those of the nodes that are imports import."""
    package = module if SOURCES[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [base])])
            for name in node.names:
                # `from txproxy.wire import grammar` names a module, `from txproxy import Pool` does not.
                longer = f"{base}.{name.name}"
                yield node.lineno, longer if longer in SOURCES or not base.startswith("txproxy") else base


def _room(module: str) -> str:
    """The first step below txproxy: `wire` of `txproxy.wire.http1.server`, and `` of `txproxy` itself."""
    return module.split(".")[1] if "." in module else ""


def _may_import(importer: str, imported: str) -> bool:
    """Whether a module of one room may import from another; both are rooms of txproxy."""
    if importer == imported:
        return True
    if imported == "testing":
        return False
    if importer in BESIDE:
        allowed = BESIDE[importer]
        return allowed is None or imported in allowed
    if imported == "":
        # The version; the rest of it would be a way around the layers.
        return LEVEL[importer] >= LEVEL["service"]
    if imported in ("reactor", "tap"):
        return importer == "cli"
    if imported == "observe" and importer not in OBSERVE_IS_FOR:
        return False
    if imported not in LEVEL or {importer, imported} <= SIBLINGS:
        return False
    return LEVEL[imported] < LEVEL[importer]


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("wire", "errors", True),
        ("wire", "matching", True),
        ("reverse", "matching", True),
        ("matching", "wire", False),
        ("wire", "wire", True),
        ("runtime", "observe", True),
        ("config", "observe", True),
        ("cli", "service", True),
        ("errors", "wire", False),
        ("wire", "interfaces", False),
        ("net", "proxy", False),
        ("proxy", "forward", False),
        ("proxy", "upstreams", False),
        ("upstreams", "proxy", False),
        ("net", "tls", False),
        ("forward", "reverse", False),
        ("stream", "reverse", False),
        ("forward", "limits", False),
        ("config", "limits", True),
        ("reverse", "stream", False),
        ("proxy", "observe", False),
        ("observe", "runtime", False),
        ("forward", "", False),
        ("runtime", "testing", False),
        ("cli", "testing", False),
        ("runtime", "cli", False),
    ],
)
def test_who_may_import_whom(importer: str, imported: str, allowed: bool) -> None:
    assert _may_import(importer, imported) is allowed


def test_every_room_has_its_place() -> None:
    assert {_room(module) for module in SOURCES} <= LEVEL.keys() | BESIDE.keys()


def test_imports_go_downwards() -> None:
    wrong = [
        f"{SOURCES[module].relative_to(ROOT)}:{line}: {_room(module) or 'txproxy'} may not import {name}"
        for module in SOURCES
        for line, name in _imports(module)
        if name.split(".")[0] == "txproxy" and not _may_import(_room(module), _room(name))
    ]
    assert wrong == []


@cache
def _facades() -> set[str]:
    """The packages that say what is public of them. The version is all that anybody within asks of txproxy itself."""
    packages = (module for module, path in SOURCES.items() if path.name == "__init__.py" and module != "txproxy")
    return {module for module in packages if "\n__all__ =" in SOURCES[module].read_text()}


def test_within_the_house_nobody_imports_by_a_facade() -> None:
    facades = _facades()
    assert facades
    assert [(module, name) for module in SOURCES for _, name in _imports(module) if name in facades] == []


def _circles(arrows: dict[str, set[str]]) -> list[set[str]]:
    """The modules that can be reached from one another, circle by circle."""

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [*arrows[start]]
        while waiting:
            here = waiting.pop()
            if here not in seen:
                seen.add(here)
                waiting += arrows[here]
        return seen

    reached = {module: reach(module) for module in arrows}
    circles = []
    for module in sorted(arrows):
        if module in reached[module] and not any(module in circle for circle in circles):
            circles.append({other for other in reached[module] if module in reached[other]})
    return circles


@pytest.mark.parametrize(
    ("arrows", "circles"),
    [
        ({"a": {"b", "c"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"a"}}, [{"a", "b"}]),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}}, [{"b", "c"}, {"d"}]),
    ],
)
def test_circles_are_found(arrows: dict[str, set[str]], circles: list[set[str]]) -> None:
    assert _circles(arrows) == circles


def test_imports_go_in_no_circle() -> None:
    arrows = {
        module: {name for _, name in _imports(module) if name in SOURCES and name != "txproxy"} for module in SOURCES
    }
    found = [{module.removeprefix("txproxy.") for module in circle} for circle in _circles(arrows)]
    assert found == []


def test_no_name_stands_twice() -> None:
    places: dict[str, list[str]] = {}
    for module, path in SOURCES.items():
        if path.stem not in SHARED_NAMES:
            places.setdefault(path.stem, []).append(module)
    assert [modules for modules in places.values() if len(modules) > 1] == []


def test_no_folder_is_too_full() -> None:
    folders = [PACKAGE, *(path for path in PACKAGE.rglob("*") if path.is_dir())]
    sizes = {
        str(folder.relative_to(ROOT)): sum(path.name != "__init__.py" for path in folder.glob("*.py"))
        for folder in folders
    }
    assert {folder: size for folder, size in sizes.items() if size > MOST_IN_A_FOLDER} == {}


@pytest.mark.parametrize("room", STANDING_ALONE)
def test_what_stands_alone_imports_no_more_than_it_may(room: str) -> None:
    allowed = sys.stdlib_module_names | STANDING_ALONE[room]
    modules = [module for module in SOURCES if _room(module) == room]
    assert modules
    imported = {(module, name.split(".")[0]) for module in modules for _, name in _imports(module)}
    assert sorted((module, root) for module, root in imported if root not in allowed) == []


def _outside_functions(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that are run when the module is imported."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
            yield from _outside_functions(node)


def test_no_module_chooses_the_reactor() -> None:
    found = [
        module
        for module in SOURCES
        if "twisted.internet.reactor" in {name for _, name in _named(module, _outside_functions(_tree(module)))}
    ]
    assert found == []


def _public(
    owner: str, nodes: list[ast.stmt]
) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Classes and functions whose name is public, with the methods of the classes."""
    for node in nodes:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        yield owner + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from _public(f"{owner}{node.name}.", node.body)


def test_what_is_public_has_a_docstring() -> None:
    silent = [module for module in SOURCES if not ast.get_docstring(_tree(module))]
    for module in SOURCES:
        silent += [name for name, node in _public(f"{module}.", _tree(module).body) if not ast.get_docstring(node)]
    assert silent == []


@pytest.mark.parametrize("room", ["upstreams", "forward", "importers"])
def test_a_room_has_no_circle_of_imports(room: str) -> None:
    within = {
        module: {name for _, name in _imports(module) if _room(name) == room and name != module}
        for module in SOURCES
        if _room(module) == room
    }
    # Who imports nobody of those that are left cannot be in a circle.
    while free := [module for module, names in within.items() if not names & within.keys()]:
        for module in free:
            del within[module]
    assert within == {}
