"""A file as a whole."""

import os

import attrs
import pytest

from tests.config.toml.conftest import LEAST
from txproxy.components.rates import parse_rate
from txproxy.config import load
from txproxy.errors import ConfigError
from txproxy.proxy.limits import Limits


@pytest.fixture
def file(tmp_path):
    """A file with this in it."""

    def write(content):
        path = tmp_path / "proxy.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def refused(file):
    with pytest.raises(ConfigError) as raised:
        load(file)
    return str(raised.value)


def test_what_is_said_for_all_holds_for_all(read):
    config = read('via = "edge"\n[limits]\nidle_timeout = 1\n[log]\naccess = "none"\n' + LEAST)
    assert config.access_log is None
    assert (config.listeners[0].via, config.listeners[0].limits) == ("edge", Limits(idle_timeout=1))


def test_all_limits_can_be_set(read):
    values = {field.name: number for number, field in enumerate(attrs.fields(Limits), 300)} | {
        "ipv6_prefix": 56,
        "max_target_size": 299,
        "connection_rate": "20/s",
        "stream_window": 65536,
        "connection_window": 65536,
        "upstream_stream_window": 65536,
    }
    text = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    values["connection_rate"] = parse_rate("20/s")
    assert read(f"[limits]\n{text}\n{LEAST}").listeners[0].limits == Limits(**values)


@pytest.mark.parametrize(
    ("text", "where"), [("", "-"), ('[log]\naccess = "-"', "-"), ('[log]\naccess = "a.log"', "a.log"), ("[log]", "-")]
)
def test_where_the_access_log_goes(read, tmp_path, text, where):
    assert read(f"{text}\n{LEAST}").access_log == (where if where == "-" else str(tmp_path / where))


def test_a_file_is_read(file):
    name = file(LEAST)
    config = load(name)
    assert config.source == name
    assert config.places[()] == (name, 1) and ("listeners", 0, "pool") in config.places
    assert config.pool("app").upstreams == ("http://127.0.0.1:8001",)


def test_all_faults_are_listed_at_once_in_the_order_of_the_lines(faults):
    text = 'vai = "x"\n[limits]\nidle = 1\n[[listeners]]\nlisten = "x"\npool = "y"\n[pools.app]\nupstreams = []\n'
    found = faults(text + "[[routes]]\n[caches]\nx = 1\n")
    assert [line.partition(";")[0] for line in found] == [
        "1: vai: no such key (is via meant?)",
        "3: limits.idle: no such key (is idle_timeout meant?)",
        "5: listeners[0].listen: 'x' is no endpoint",
        "6: listeners[0].pool: there is no pool 'y'",
        "8: pools.app.upstreams: there is none in it",
        "9: routes[0]: name is missing",
        "9: routes[0]: nothing is to be done",
        "10: caches: no such key (is cache meant?)",
    ]


@pytest.mark.parametrize("text", ["", "listeners = []"])
def test_without_listeners_there_is_nothing_to_run(faults, text):
    assert faults(text) == ["there are no listeners; accepted is [[listeners]] for one or more"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("listeners = 1", "1: listeners: 1 is no list of tables; accepted is [[listeners]], or a list"),
        ("listeners = [1]", "1: listeners[0]: 1 is no table; accepted is { KEY = VALUE }"),
        (LEAST + "[pools]\nx = 1", "8: pools.x: 1 is no table; accepted is [pools.NAME] for each"),
        ("limits = 1\n" + LEAST, "1: limits: 1 is no table; accepted is { KEY = VALUE }, or a table of its own"),
        (
            "log = { acess = '-' }\n" + LEAST,
            "1: log.acess: no such key (is access meant?); accepted: access, access_format, access_refused, level",
        ),
        (
            "log = { access = 1 }\n" + LEAST,
            "1: log.access: 1 is no text; accepted is a text in quotes, not an empty one",
        ),
        ("routes = {}\n" + LEAST, "1: routes: {} is no list of tables; accepted is [[routes]], or a list"),
    ],
)
def test_shapes_that_are_wrong_are_said(faults, text, said):
    if text.startswith(LEAST):
        text = text.replace("[pools.app]", "[pools.app] # before [pools]")
        said = said.replace("8: ", "9: ")
    assert said in faults(text)


@pytest.mark.parametrize("key", ["routes", "listeners"])
def test_where_one_of_a_list_is_no_table_the_others_are_said_to_be_where_they_are(faults, key):
    found = [line.removeprefix("1: ") for line in faults(f'{key} = [1, {{ name = "x", color = 1 }}]')]
    assert f"{key}[0]: 1 is no table; accepted is {{ KEY = VALUE }}" in found
    assert any(line.startswith(f"{key}[1].color: no such key") for line in found)
    assert len([line for line in found if line.startswith(f"{key}[0]")]) == 1


def test_what_is_no_toml_is_said_with_line_and_column(file):
    name = file("a = 1\nb = = 2\n")
    assert refused(name).startswith(f"{name}:2: Invalid value at column 5; accepted is TOML")
    assert "\n" not in refused(name)
    name = file("a = 1\na = 2\n")
    assert refused(name).startswith(f"{name}:2: ")
    name = file("a = 1\n\nb = 'x\n\n")
    assert refused(name).startswith(f"{name}:3: ")
    name = file("a = 1\nb = '''x\n\n")
    assert refused(name).startswith(f"{name}:2: ")
    name = file("a = " + "[" * 100_000)
    assert refused(name).startswith(f"{name}:1: ") and "\n" not in refused(name)


def test_what_is_no_text_is_said_with_its_line(file):
    name = file(b"a = 1\nb = '\xff'\n")
    assert refused(name) == f"{name}:2: this is not UTF-8; accepted is TOML, which is"


def test_a_byte_order_mark_and_line_ends_of_other_systems_do_no_harm(file):
    name = file(b"\xef\xbb\xbf" + LEAST.replace("\n", "\r\n").encode())
    assert load(name).listeners[0].listen == ("tcp:8080",)
    name = file(LEAST.replace("\n", "\r\n").replace("8001", "x").encode())
    assert refused(name).startswith(f"{name}:7: pools.app.upstreams[0]: ")


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    for name in (tmp_path / "gone.toml", tmp_path, "a\0b"):
        said = refused(str(name))
        assert said.startswith(f"{name}: ") and said.endswith("; accepted is a TOML file that can be read")
    assert refused(os.devnull) == f"{os.devnull}: there are no listeners; accepted is [[listeners]] for one or more"


def test_a_file_without_an_end_is_not_read_to_its_end():
    assert refused("/dev/zero") == "/dev/zero: too large; accepted is a TOML file of less than 16 MB"
