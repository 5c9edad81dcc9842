"""Wrong calls."""

import pytest

from txproxy.cli.arguments import Parser, wrong_call
from txproxy.errors import ConfigError


def test_what_argparse_says_is_an_error_of_one_line():
    with pytest.raises(ConfigError, match=r"^unrecognized arguments: --x$"):
        Parser("x").parse_args(["--x"])


def test_a_wrong_call_shows_no_password(capsys):
    assert wrong_call("x", "http://user:secret@a is nothing") == 2
    assert capsys.readouterr().err == "txproxy x: http://***@a is nothing\n"
