"""What a start needs and does not find is said all at once, at the keys that name it; and looking changes nothing."""

import os
import sqlite3
import sys

import pytest

from txproxy.config.preflight import preflight
from txproxy.config.toml.file import parse
from txproxy.errors import ConfigError
from txproxy.observe import spans

LISTENER = '[[listeners]]\nname = "a"\nmode = "reverse"\nlisten = "tcp:1"\npool = "p"\n'
POOL = '[pools.p]\nupstreams = "http://127.0.0.1:2"\n'
FORWARD = '[[listeners]]\nmode = "forward"\nlisten = "tcp:1"\n[[quotas]]\nper = "client"\nday = "1M"\n'

# what is in a file, and the findings: where, and the beginning of what is said
LACKING = {
    "log": ('[log]\naccess = "none/a"\n' + LISTENER, [("log.access", "{}/none/a: No such file or directory")]),
    "log of a listener": (
        LISTENER + 'access_log = "."\n',
        [("listeners[0].access_log", "{}/.: Is a directory")],
    ),
    "further log": (LISTENER + '[[access_logs]]\nto = "none/a"\n', [("access_logs[0].to", "{}/none/a: No such file")]),
    "syslog": (
        '[log]\naccess = "syslog:unix:/none/at/all"\n' + LISTENER,
        [("log.access", "syslog:unix:/none/at/all: No such file or directory")],
    ),
    "audit": (LISTENER + 'audit = "none/a"\n', [("listeners[0].audit", "{}/none/a: No such file or directory")]),
    "usage, folder": ('usage_file = "none/a"\n' + FORWARD, [("usage_file", "{}/none/a: No such file or directory")]),
    "usage, no database": ('usage_file = "text"\n' + FORWARD, [("usage_file", "{}/text: file is not a database")]),
    "usage, another's": (
        'usage_file = "other.db"\n' + FORWARD,
        [("usage_file", "{}/other.db: its table `used` is none of ours")],
    ),
    "cache, file": ('[cache]\nsize = "10M"\ndir = "text"\n' + LISTENER, [("cache.dir", "{}/text: is not a directory")]),
    "cache, below a file": (
        '[cache]\nsize = "10M"\ndir = "text/a/b"\n' + LISTENER,
        [("cache.dir", "{}/text/a/b: is not a directory")],
    ),
    "cache, another's": (
        '[cache]\nsize = "10M"\ndir = "."\n' + LISTENER,
        [("cache.dir", "{}/.: has 'other.db' in it, which is no file of a cache")],
    ),
    "no library": (
        '[tracing]\nendpoint = "http://127.0.0.1:4318"\n' + LISTENER,
        [("tracing.endpoint", "opentelemetry is not installed")],
    ),
    "all": (
        '[log]\naccess = "none/a"\n[tracing]\nendpoint = "http://127.0.0.1:4318"\n' + LISTENER + 'audit = "none/b"\n',
        [
            ("log.access", "{}/none/a: No such"),
            ("listeners[0].audit", "{}/none/b: No such"),
            ("tracing.endpoint", "opentelemetry is not installed"),
        ],
    ),
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "text").write_text("this is no database\n" * 100)
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE used (a, b)")
    other.commit()
    other.close()
    return tmp_path


def without_spans(monkeypatch):
    """As where the packages are not installed by which spans are sent."""
    monkeypatch.delattr(spans, "opentelemetry_spans", raising=False)
    monkeypatch.delitem(sys.modules, "txproxy.observe.spans.opentelemetry_spans", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)


def configured(folder, text):
    return parse(text + ("" if "forward" in text else POOL), str(folder / "proxy.toml"))


def contents(folder):
    return {name: (folder / name).read_bytes() for name in os.listdir(folder)}


@pytest.mark.parametrize(("text", "found"), LACKING.values(), ids=LACKING)
def test_what_is_missing_is_said_where_it_is_named(folder, monkeypatch, text, found):
    without_spans(monkeypatch)
    before = contents(folder)
    with pytest.raises(ConfigError) as caught:
        preflight(configured(folder, text))
    findings = caught.value.findings
    where = [".".join(map(str, one.path)).replace(".0", "[0]") for one in findings]
    assert where == [place for place, _ in found]
    for one, (_, said) in zip(findings, found, strict=True):
        assert one.said.startswith(said.format(folder)) and one.accepted.startswith("accepted ")
        assert one.accepted.count("accepted") == 1
    assert contents(folder) == before


SOUND = (
    'usage_file = "used.db"\n[log]\naccess = "a.log"\n[cache]\nsize = "10M"\ndir = "cache/new"\n'
    '[[access_logs]]\nto = "-"\n'
    '[[listeners]]\nmode = "forward"\nlisten = "tcp:1"\naudit = "audit.log"\n[[quotas]]\nper = "client"\nday = "1M"\n'
)


def test_what_can_be_made_is_not_made_yet(folder):
    before = contents(folder)
    preflight(configured(folder, SOUND))
    assert contents(folder) == before


def test_what_is_open_already_is_not_asked_for_again(folder):
    """A proxy that has given up its rights could not open it, and need not."""
    before = configured(folder, '[log]\naccess = "none/a"\n' + LISTENER)
    same = configured(folder, '[log]\naccess = "none/a"\n' + LISTENER + 'audit = "none/b"\n')
    with pytest.raises(ConfigError) as caught:
        preflight(same, before)
    assert [one.path for one in caught.value.findings] == [("listeners", 0, "audit")]


def test_streams_keep_nothing(folder):
    text = '[cache]\nsize = "10M"\ndir = "text"\n[[listeners]]\nmode = "tcp"\nlisten = "tcp:1"\npool = "p"\n'
    preflight(parse(text + '[pools.p]\nupstreams = "a:1"\n', str(folder / "proxy.toml")))
