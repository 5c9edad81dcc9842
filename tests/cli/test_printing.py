"""What commands print."""

import pytest

from txproxy.cli.printing import printable, seconds, size, table_lines


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0"), (1023, "1023"), (1024, "1.0k"), (10240, "10k"), (1536 << 20, "1.5G"), (1 << 60, "1048576T")],
)
def test_sizes_are_read_easily(count, shown):
    assert size(count) == shown


def test_nothing_is_shown_that_a_terminal_would_obey():
    assert printable("a\x1b[2J\x9bü\n") == "a\\x1b[2J\\x9bü\\n"
    assert (printable(None), printable(""), printable(0)) == ("-", "-", "0")


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0.0s"), (9.96, "10.0s"), (59.6, "60s"), (119, "119s"), (120, "2m"), (7200, "2h"), (3 * 86400, "3d")],
)
def test_times_are_read_easily(count, shown):
    assert seconds(count) == shown


def test_columns_stand_below_each_other():
    assert table_lines(("A", "LONG", "Z"), [(1, None, "x y"), ("wide", 2, "")]) == [
        "A     LONG  Z", "1     -     x y", "wide  2     -",
    ]  # fmt: skip
