"""The reference of the command line has an entry for each option of a mode, and no other."""

import pathlib
import re

import pytest
from twisted.python import usage

from tests.docs.extensions import extension
from txproxy.cli.reference.described_options import MODES

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "options.rst").read_text()


def test_each_section_has_its_options():
    sections = dict(re.findall(r"^(\w+)\n-+\n(?:\n.*)*?\n\.\. mode-options:: (\w+)$", PAGE, re.MULTILINE))
    assert sections == {name.capitalize(): name for name in ("shared", *MODES)}
    assert "\n.. command-list::\n" in PAGE and "\n.. mode-options:: streams\n" in PAGE


@pytest.mark.parametrize("mode", MODES)
def test_sections_have_each_option_of_a_mode_once_and_no_other(mode):
    options_in = extension("option_sections").options_in
    made: usage.Options = MODES[mode]()
    shared = options_in("shared") if mode != "run" else ()
    told = [one.names[0] for one in (*shared, *options_in(mode))]
    assert sorted(told) == sorted({f"--{name.rstrip('=')}" for name in made.longOpt} - {"--help", "--version"})


def test_what_is_otherwise_for_streams_is_told():
    told = {one.names[0]: one.about for one in extension("option_sections").of_streams()}
    assert set(told) == {"--header-timeout", "--idle-timeout", "--tunnel-timeout", "--connect-timeout"}
    assert "PROXY protocol" in told["--header-timeout"]
