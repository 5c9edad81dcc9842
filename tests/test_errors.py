"""Messages are shown and logged: no password of a URL is in one."""

import pytest

from txproxy.errors import ConfigError, masked


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
