"""What is public exists, says what it is, and has an entry of its own; what is shown to users needs nothing else."""

import ast
import importlib
import pathlib
import re
from types import FunctionType

import pytest
from zope.interface.interface import InterfaceClass

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs"
FACADES = (
    "txproxy",
    "txproxy.forward",
    "txproxy.reverse",
    "txproxy.upstreams",
    "txproxy.interfaces",
    "txproxy.testing",
    "txproxy.service",
)
PUBLIC = [(package, name) for package in FACADES for name in importlib.import_module(package).__all__]
# Values have no docstring of their own: their entry says what they are.
VALUES = {"Decision", "Handler", "Skip", "__version__"}
PAGES = [DOCS / "api.rst", *sorted(DOCS.glob("api/*.rst"))]
ENTRY = re.compile(r"^\.\. (?:auto(?:class|function|exception)|py:(?:class|data)):: (\S+)$", re.MULTILINE)
# In whatever way it is imported or named; what stands after a slash is a file.
NAMED = re.compile(r"(?<!/)\btxproxy(?:\.[A-Za-z_]\w*)+")


def entries():
    return [entry for page in PAGES for entry in ENTRY.findall(page.read_text())]


@pytest.mark.parametrize(("package", "name"), PUBLIC)
def test_what_is_public_is_there_and_says_what_it_is(package, name):
    thing = getattr(importlib.import_module(package), name)
    if name in VALUES:
        return
    # Not an inherited one, which would be of something else.
    said = thing.__doc__ if isinstance(thing, FunctionType | InterfaceClass) else vars(thing).get("__doc__")
    assert said


def test_each_public_name_has_one_entry_and_nothing_else_has_one():
    assert sorted(entries()) == sorted(f"{package}.{name}" for package, name in PUBLIC)


def test_no_public_name_stands_twice():
    for package in FACADES:
        names = importlib.import_module(package).__all__
        assert len(set(names)) == len(names)


def test_the_same_name_is_the_same_thing_wherever_it_stands():
    things = {}
    for package, name in PUBLIC:
        things.setdefault(name, []).append(getattr(importlib.import_module(package), name))
    assert all(thing is same[0] for same in things.values() for thing in same)


def is_public(dotted):
    """Whether ``dotted`` is a facade, a public name, or an attribute of one."""
    if dotted in FACADES:
        return True
    return any(f"{dotted}.".startswith(f"{package}.{name}.") for package, name in PUBLIC)


def imported(file):
    """The dotted names that a program imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("file", sorted(DOCS.glob("examples/*.py")), ids=lambda file: file.name)
def test_examples_import_what_is_public(file):
    assert [name for name in imported(file) if name.partition(".")[0] == "txproxy" and not is_public(name)] == []


# What is on the page about what may move is no advice, and the internals are about what is inside.
@pytest.mark.parametrize(
    "page", [*sorted(DOCS.glob("*.rst")), *sorted(DOCS.glob("api/*.rst"))], ids=lambda page: page.name
)
def test_pages_name_what_is_public(page):
    text = page.read_text()
    if page.name == "api.rst":
        text = text.partition("All else may move")[0] + text.partition("What goes, goes slowly.")[2]
    assert [name for name in NAMED.findall(text) if not is_public(name)] == []
