"""Where a file names code."""

import pytest

from txproxy.components.named_code import NamedCode
from txproxy.config.findings import Findings
from txproxy.config.own_code.code_tables import read_codes
from txproxy.config.toml.tables import Table
from txproxy.errors import ConfigError


def read(value, look=lambda code: None):
    findings = Findings()
    findings.generation = 3
    return read_codes(Table({"k": value}, (), "", findings, "/"), "k", "sink", look), findings


def test_a_name_or_a_table_alone_or_in_a_list():
    found, findings = read(["a:b", {"use": "a.c:D.e", "x": [1], "y": {"z": 2}}])
    assert found == (NamedCode("a:b", {}, 3), NamedCode("a.c:D.e", {"x": [1], "y": {"z": 2}}, 3))
    assert read("a:b")[0] == read({"use": "a:b"})[0] == found[:1] and not findings.faults
    assert read([])[0] == ()


@pytest.mark.parametrize(
    ("value", "path", "said"),
    [
        ("a", ("k",), "'a' names no sink"),
        (["a:b", 5], ("k", 1), "5 is no text"),
        ([{"x": 1}], ("k", 0), "use is missing"),
        ({"use": "a b:c"}, ("k", "use"), "'a b:c' names no sink"),
    ],
)
def test_what_names_nothing_is_told_with_its_place(value, path, said):
    _, findings = read(value)
    assert [(one.path, one.said) for one in findings.faults] == [(path, said)] and findings.faults[0].accepted


def test_what_is_wrong_with_what_is_found_is_told_there():
    def look(code):
        raise ConfigError("no", "accepted is yes", ("x",))

    found, findings = read(["a:b"], look)
    assert found == () and [one.path for one in findings.faults] == [("k", 0, "x")]
