"""What the pages about the inside name is there."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = ROOT / "txproxy"
HOUSE = (ROOT / "docs" / "internals" / "architecture.rst").read_text()
ROOMS = sorted(path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py")))


def is_there(path):
    return (PACKAGE / path).is_dir() or (PACKAGE / path).with_suffix(".py").exists()


PAGES = [*sorted((ROOT / "docs" / "internals").glob("*.rst")), ROOT / "CONTRIBUTING.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_path_of_a_module_leads_to_one(page):
    paths = re.findall(rf"(?<![\w/.])(?:txproxy/)?((?:{'|'.join(ROOMS)})/[a-z0-9_/]+)", page.read_text())
    assert [path for path in paths if not is_there(path)] == []


def rooms():
    """Each entry of the rooms: what they are called, and what is said of them."""
    section = HOUSE.partition("The rooms\n---")[2].partition("One request\n---")[0]
    for names, text in re.findall(r"^(``[^\n]+)\n((?:    [^\n]*\n)+)", section, re.MULTILINE):
        yield re.findall(r"``(\w+)``", names), re.findall(r"``([a-z0-9_/]+)``", text)


def test_each_room_is_told_of():
    told = {name for names, _ in rooms() for name in names}
    assert set(ROOMS) == told


@pytest.mark.parametrize(("names", "modules"), [pytest.param(*room, id="-".join(room[0])) for room in rooms()])
def test_a_room_has_the_modules_that_it_is_said_to_have(names, modules):
    assert [one for one in modules if not any(is_there(f"{name}/{one}") or is_there(one) for name in names)] == []
    assert modules


def test_the_order_of_the_rooms_is_the_one_that_is_held():
    chart = HOUSE.partition("holds this::\n\n")[2].partition("\n\n``reactor``")[0]
    rows = [re.split(r" {2,}", line.strip())[:-1] for line in chart.splitlines()]
    house = (ROOT / "tests" / "test_house.py").read_text()
    layers = house.partition("LAYERS: tuple")[2].partition("\n)\n")[0]
    held = [set(re.findall(r'"(\w+)"', line)) for line in layers.splitlines()[1:]]
    assert [{room for names in row for room in names.split(", ")} for row in rows] == held[::-1]


def short_cuts():
    """Each row: the short cut, its slow twin, and the tests that run both."""
    page = (ROOT / "docs" / "internals" / "hot-path.rst").read_text()
    rows = page.partition("Short cuts and their slow twins")[2].split("\n   * - ")[2:]
    assert rows
    return [row.split("\n     - ") for row in rows]


@pytest.mark.parametrize("row", short_cuts(), ids=lambda row: row[2].strip())
def test_a_short_cut_has_a_twin_and_tests_that_are_there(row):
    short_cut, twin, tests = row
    assert twin.strip()
    modules = [name for name in re.findall(r"``([a-z0-9_/]+)``", short_cut) if "/" in name or is_there(name)]
    assert modules and all(map(is_there, modules))
    files = re.findall(r"``([a-z0-9_/]+)``", tests)
    assert files and all((ROOT / f"{file}.py").exists() for file in files)
