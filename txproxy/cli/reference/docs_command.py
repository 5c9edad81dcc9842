"""``txproxy docs``: the pages of the documentation, which are part of the package."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from txproxy.cli.arguments import Parser, read_arguments, wrong_call
from txproxy.components.values import hint

_PACKAGE: Final = Path(__file__).parents[2]
# Where the build of a wheel puts them, and where make docs does in a clone.
_PLACES: Final = (_PACKAGE / "documentation", _PACKAGE.parent / "docs" / "_build" / "html")
# Of what they are made, in a clone.
_SOURCES: Final = _PACKAGE.parent / "docs"


def pages_folder(places: Sequence[Path] = _PLACES) -> Path | None:
    """The folder with the pages, or None if nobody has made them."""
    return next((place for place in places if (place / "index.html").is_file()), None)


def address() -> str:
    """Where they are, for the help of the command."""
    folder = pages_folder()
    return str(folder / "index.html") if folder is not None else "made by make docs, in a clone"


def make_parser() -> Parser:
    """What reads the command's arguments."""
    parser = Parser("txproxy docs", description="The documentation, in a browser.", allow_abbrev=False)
    parser.add_argument("page", metavar="PAGE", nargs="?", default="index", help="which one [default: the first]")
    parser.add_argument("--print", action="store_true", help="print where it is, and open nothing")
    return parser


def run(arguments: Sequence[str], places: Sequence[Path] = _PLACES) -> int:
    """Print where a page is, and open it where there is a screen; gives the exit status."""
    given = read_arguments(make_parser(), "docs", arguments)
    if isinstance(given, int):
        return given
    folder = pages_folder(places)
    if folder is None:
        sys.stderr.write("txproxy docs: this clone has no pages yet; accepted is make docs, which makes them\n")
        return 1
    names = page_names(folder)
    given.page = _whole_name(given.page, names)
    if given.page not in names:
        meant = hint(given.page, names)
        return wrong_call("docs", f"{given.page!r} is no page{meant}; accepted: {', '.join(names)}")
    page = (folder / f"{given.page}.html").resolve()
    if given.print:
        print(page)
        return 0
    print(page.as_uri())
    if has_screen(os.environ, sys.platform):
        webbrowser.open(page.as_uri())
    return 0


def page_words(places: Sequence[Path] = _PLACES, sources: Path = _SOURCES) -> list[str]:
    """What may stand for PAGE, for shells: the names of all pages, whole and as short as they are known by."""
    folder = pages_folder(places)
    if folder is not None:
        names = page_names(folder)
    else:
        files = (file.relative_to(sources) for file in sources.rglob("*.rst"))
        names = [file.with_suffix("").as_posix() for file in files if not file.parts[0].startswith("_")]
    short = {name.rpartition("/")[2] for name in names}
    return sorted({*names, *(name for name in short if _whole_name(name, names) in names)})


def _whole_name(page: str, names: Sequence[str]) -> str:
    """The name of the one page that is called so in its folder, such as jobs/tls of tls; else as it is."""
    called = [name for name in names if name.rpartition("/")[2] == page]
    return called[0] if page not in names and len(called) == 1 else page


def page_names(folder: Path) -> list[str]:
    """What the pages are called."""
    files = (file for file in folder.rglob("*.html") if not file.relative_to(folder).parts[0].startswith("_"))
    return sorted(file.relative_to(folder).with_suffix("").as_posix() for file in files)


def has_screen(environment: Mapping[str, str], platform: str) -> bool:
    """Whether a browser that is opened can be seen."""
    return platform == "darwin" or any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
