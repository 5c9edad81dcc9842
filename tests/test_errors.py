"""Messages are shown and logged: no password of a URL is in one. What is wrong is data, and a text for who is told."""

import pickle

import pytest

from txproxy.errors import ConfigError, Finding, masked, written


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("'http://user:s3cret@host:80' is no upstream", "'http://***@host:80' is no upstream"),
        ("http://s3cret@host", "http://***@host"),
        ("--upstream https://u:s3/c@ret@host:1: twice", "--upstream https://***@host:1: twice"),
        ("file.toml:3: pools.a: 'u:s3cret@host:1' is none", "file.toml:3: pools.a: '***@host:1' is none"),
        ("{'url': 'http://u:s3cret@h', 'x': 1} is no text", "{'url': 'http://***@h', 'x': 1} is no text"),
        ("['http://a', 'socks5://u:s3cret@b']", "['http://a', 'socks5://***@b']"),
        ("a=ftp://u:s3cret@b;c", "a=ftp://***@b;c"),
        ("u:s3cret@h", "***@h"),
        ("'s3cret@h' is none", "'***@h' is none"),
        ("mail user@example.com, lists @ads and '@ads'", "mail user@example.com, lists @ads and '@ads'"),
        ("accepted are http://USER:PASSWORD@HOST:PORT", "accepted are http://USER:PASSWORD@HOST:PORT"),
        ("http://host:80/path is fine", "http://host:80/path is fine"),
    ],
)
def test_passwords_are_masked(text, shown):
    assert masked(text) == shown
    assert str(ConfigError(text)) == shown


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ((), ""),
        (("pools", "web", "upstreams", 1), "pools.web.upstreams[1]"),
        (("listeners", 0, "listen"), "listeners[0].listen"),
        (("sni", "a.example"), "sni.'a.example'"),
    ],
)
def test_paths_are_written_as_in_a_file(path, said):
    assert written(path) == said


def test_a_text_is_an_error_for_each_of_its_lines():
    fault = ConfigError("one: is wrong\ntwo is", "accepted is three")
    assert fault.findings == (
        Finding((), "one: is wrong", "accepted is three"),
        Finding((), "two is", "accepted is three"),
    )
    assert str(fault) == "one: is wrong; accepted is three\ntwo is; accepted is three"
    assert (str(ConfigError("plain")), str(ConfigError())) == ("plain", "")


def test_an_error_says_where_by_its_path_or_by_what_those_who_are_told_call_it():
    fault = ConfigError("'x' is no path", "accepted is /x", ("path",))
    assert str(fault) == "path: 'x' is no path; accepted is /x"
    assert str(fault.at("routes", 1)) == "routes[1].path: 'x' is no path; accepted is /x"
    assert fault.at("routes", 1).findings[0].path == ("routes", 1, "path")
    assert str(ConfigError("gone", place="--file x")) == "--file x: gone"
    # Where it is said already
    assert str(ConfigError("x: gone", path=("file",), place="")) == "x: gone"
    assert str(ConfigError("x: gone", path=("file",), place="").at("here")) == "x: gone"


def test_a_finding_may_stand_within_what_has_a_name():
    found = Finding(("ports",), "no ports").within("rules[1] 'web'", 0)
    assert (found.path, str(found)) == ((0, "ports"), "rules[1] 'web': ports: no ports")
    assert str(Finding((), "all wrong").within("rules[1]", 0)) == "rules[1]: all wrong"


def test_more_can_be_said_of_an_error():
    fault = ConfigError("no host", "accepted is a host")
    assert str(fault.about("'x': ")) == "'x': no host; accepted is a host"
    assert str(fault.accepting("accepted is a name")) == "no host; accepted is a name"
    assert str(fault.or_else("none")) == "no host; accepted is a host, or none"
    assert (fault.said, ConfigError("a\nb").said) == ("no host", "a, b")


def test_an_error_goes_through_a_pickle_with_all_that_it_knows():
    fault = ConfigError("'u:s3cret@h' is none", "accepted is 'http://u:s3cret@h'", ("a", 1), "--a")
    again = pickle.loads(pickle.dumps(fault))
    assert again.findings == fault.findings and str(again) == str(fault)
    assert "s3cret" not in repr(fault.findings)
