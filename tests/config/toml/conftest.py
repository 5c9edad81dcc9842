"""Configurations as texts."""

import hashlib
import textwrap

import pytest

from txproxy.config import parse
from txproxy.errors import ConfigError

# What has to be there for anything to be a configuration.
LEAST = """
[[listeners]]
listen = ["tcp:8080"]
pool = "app"

[pools.app]
upstreams = ["http://127.0.0.1:8001"]
"""

# A forward listener, to whose table more may be added.
FORWARD = '[[listeners]]\nmode = "forward"\nlisten = "tcp:3128"\n'


@pytest.fixture
def read(tmp_path):
    """Reads a text, as if it were in a file in ``tmp_path``."""
    return lambda text: parse(textwrap.dedent(text), str(tmp_path / "proxy.toml"))


@pytest.fixture
def faults(read, tmp_path):
    """The faults of a text, without the name of the file: ``"8: pools.app.strategy: ..."``."""

    def of(text):
        with pytest.raises(ConfigError) as raised:
            read(text)
        name = f"{tmp_path / 'proxy.toml'}:"
        lines = str(raised.value).splitlines()
        assert all(line.startswith(name) for line in lines)
        return [line.removeprefix(name).strip() for line in lines]

    return of


@pytest.fixture
def more(read):
    """Reads the least configuration with more after it."""
    return lambda text: read(LEAST + textwrap.dedent(text))


@pytest.fixture
def fault(faults):
    """The one fault of the least configuration with more after it, without its line."""

    def of(text):
        found = faults(LEAST + textwrap.dedent(text))
        assert len(found) == 1, found
        return found[0].partition(": ")[2]

    return of


@pytest.fixture
def files(tmp_path):
    """The folder of the configuration, with lists and users in it."""
    (tmp_path / "ads.txt").write_text("ads.example\n")
    (tmp_path / "work.txt").write_text("work.example\n")
    (tmp_path / "users").write_text("bob:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\n")
    digest = hashlib.md5(b"bob:office:x", usedforsecurity=False).hexdigest()
    (tmp_path / "digests").write_text(f"bob:office:{digest}\n")
    (tmp_path / "tokens").write_text("t0ken:bob\n")
    (tmp_path / "groups").write_text("staff: bob\n")
    return tmp_path


@pytest.fixture
def policy(read, files):
    """The policy of a forward listener that has this."""
    return lambda text: read(FORWARD + text).listeners[0].policy
