"""Wrong calls."""

import pytest

from txproxy.cli.arguments import Parser, asks_for_help, read_arguments, wrong_call
from txproxy.errors import ConfigError


def test_what_argparse_says_is_an_error_of_one_line():
    with pytest.raises(ConfigError, match=r"^unrecognized arguments: --x$"):
        Parser("x").parse_args(["--x"])


@pytest.mark.parametrize("given", ["", " "])
def test_what_a_variable_of_a_shell_has_left_empty_is_said(given):
    with pytest.raises(ConfigError, match=r"^there is an argument with nothing in it$"):
        Parser("x").parse_args([given])


@pytest.mark.parametrize("given", ["--fail", "--fail=x"])
def test_an_option_that_is_nearly_right_is_told(given):
    parser = Parser("x", allow_abbrev=False)
    parser.add_argument("--failed", action="store_true")
    with pytest.raises(ConfigError, match=rf"^unrecognized arguments: {given} \(is --failed meant\?\)$"):
        parser.parse_args([given])


def test_a_wrong_call_shows_no_password(capsys):
    assert wrong_call("x", "http://user:secret@a is nothing") == 2
    assert capsys.readouterr().err == "txproxy x: http://***@a is nothing\n"


def test_arguments_are_read_or_the_call_is_over(capsys):
    parser = Parser("txproxy fmt", allow_abbrev=False)
    parser.add_argument("files", nargs="+")
    assert read_arguments(parser, "fmt", ["a", "b"]).files == ["a", "b"]
    assert read_arguments(parser, "fmt", ["a", "--help"]) == 0
    assert capsys.readouterr().out.endswith("txproxy fmt --diff proxy.toml | less\n")
    assert read_arguments(parser, "fmt", ["--x", "a"]) == 2
    assert capsys.readouterr().err.endswith("--x; txproxy fmt --help lists what is accepted\n")
    assert read_arguments(parser, "fmt", [], "accepted is FILE") == 2
    assert capsys.readouterr().err.endswith("files; accepted is FILE\n")
    assert not asks_for_help(parser, "fmt", ["a"])
