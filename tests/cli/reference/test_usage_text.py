"""How all is called."""

from txproxy.cli.command import _COMMANDS
from txproxy.cli.reference.usage_text import ABOUT, MODES, brief_usage, call_of, usage


def test_the_usage_has_each_mode_and_command_with_what_it_is_for():
    said = usage()
    assert list(ABOUT) == [*MODES, *_COMMANDS]
    assert all(call_of(name) in said and about in said for name, about in ABOUT.items())


def test_what_they_are_for_stands_in_one_column():
    columns = {line.index(about) for line in usage().splitlines() for about in ABOUT.values() if line.endswith(about)}
    assert len(columns) == 1


def test_a_command_without_options_has_its_own_lines_alone():
    assert brief_usage("import").startswith("Usage: txproxy import [--from squid|nginx] FILE\n")
    assert "txproxy check" not in brief_usage("import").splitlines()[0]
