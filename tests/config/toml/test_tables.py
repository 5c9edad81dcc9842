"""Reading tables: what is asked for, what is there, and what is said of the difference."""

import os

import pytest

from txproxy.components.values import flag, text, whole
from txproxy.config.findings import Findings
from txproxy.config.toml.tables import Table
from txproxy.errors import ConfigError, Finding


@pytest.fixture
def findings():
    return Findings()


def told(findings):
    return [(one.path, one.text) for one in findings.faults]


@pytest.fixture
def table(findings):
    return lambda data, *path: Table(data, path, ".".join(path), findings, "/etc/proxy")


def test_a_value_that_is_wrong_is_a_fault_and_the_default(table, findings):
    one = table({"a": 1, "b": "x"}, "t")
    assert one.read("a", whole(0, 5), 9) == 1
    assert one.read("b", flag, True) is True
    assert one.read("c", text, None) is None
    assert told(findings) == [(("t", "b"), "'x' is neither; accepted: true, false")]


def test_false_is_a_value(table, findings):
    assert table({"a": False}).read("a", flag, True) is False
    assert not findings.faults


def test_what_must_be_there_is_missed(table, findings):
    assert table({}, "t").need("a", text, "", "a name") == ""
    assert told(findings) == [(("t",), "a is missing; accepted is a name")]


def test_each_element_is_read_on_its_own(table, findings):
    one = table({"a": ["x", 1, "y", []], "b": "alone", "c": []})
    assert one.all("a", text) == ("x", "y")
    assert one.all("b", text) == ("alone",)
    assert one.all("c", text) == ()
    assert one.all("d", text) is None
    assert [one.path for one in findings.faults] == [("a", 1), ("a", 3)]


def test_keys_that_nobody_asked_for_are_faults(table, findings):
    one = table({"stratgy": 1, "zzz": 2, "retries": 3}, "pools", "web")
    one.read("strategy", text, "")
    one.read("retries", whole(0, 5), 0)
    one.close()
    assert told(findings) == [
        (("pools", "web", "stratgy"), "no such key (is strategy meant?); accepted: strategy, retries"),
        (("pools", "web", "zzz"), "no such key; accepted: strategy, retries"),
    ]


def test_names_of_files_begin_at_the_folder_of_the_configuration(table, findings):
    one = table({"a": "b.pem", "c": "/d.pem", "e": 1, "f": ""})
    assert (one.file("a"), one.file("c"), one.file("e"), one.file("f")) == ("/etc/proxy/b.pem", "/d.pem", None, None)
    assert one.file("g") is None
    assert [one.path for one in findings.faults] == [("e",), ("f",)]
    assert one.file_name("x") == os.path.join("/etc/proxy", "x")
    with pytest.raises(ConfigError, match="no name of a file"):
        one.file_name("a\0b")


def test_tables_within_are_read_where_they_are(table, findings):
    one = table({"a": {"b": 1}, "c": 1, "d": [{"e": 1}, 2], "f": {}, "g": {"n": {"h": 1}, "m": 3}, "i": 4})
    inner = one.table("a")
    assert inner is not None and inner.path == ("a",)
    assert one.table("c") is None and one.table("x") is None
    assert [other.path for other in one.tables("d")] == [("d", 0)]
    assert one.tables("f") == [] and one.tables("x") == []
    assert {name: other.path for name, other in one.named("g").items()} == {"n": ("g", "n")}
    assert one.named("i") == {} and one.named("x") == {}
    assert [one.path for one in findings.faults] == [("c",), ("d", 1), ("f",), ("g", "m"), ("i",)]
    inner.read("b", whole(0, 5), 0)
    next(iter(one.named("g").values())).read("h", whole(0, 5), 0)
    assert {"a", "a.b", "g.NAME.h"} <= set(findings.asked)


def test_free_keys_have_values_of_one_kind(table, findings):
    one = table({"a": {"x": "1", "y": 2}, "b": []})
    assert one.pairs("a", text, "{ NAME = 'VALUE' }") == (("x", "1"),)
    assert one.pairs("b", text, "{ NAME = 'VALUE' }") == ()
    assert one.pairs("c", text, "") == ()
    assert told(findings) == [
        (("a", "y"), "2 is no text; accepted is a text in quotes, not an empty one"),
        (("b",), "[] is no table; accepted is { NAME = 'VALUE' }"),
    ]


def test_what_others_say_is_put_where_it_belongs(table, findings):
    pattern = Finding(("pattern", 0), "no good", "accepted is better")
    others = ConfigError([pattern, Finding(("status",), "no number"), Finding((), "something: else")])
    table({}, "t").faults_of(others, called={"pattern": ("rewrite", "path")})
    table({}, "u").faults_of(others.at("here"), 1)
    assert told(findings) == [
        (("t", "rewrite", "path", 0), "no good; accepted is better"),
        (("t", "status"), "no number"),
        (("t",), "something: else"),
        (("u", 1, "here", "pattern", 0), "no good; accepted is better"),
        (("u", 1, "here", "status"), "no number"),
        (("u", 1, "here"), "something: else"),
    ]


def test_what_may_stand_in_place_of_a_table_is_told(table, findings):
    one = table({"a": "403", "b": 1})
    assert one.table("a", "a status such as 403") is one.table("b") is None
    assert told(findings) == [
        (("a",), "'403' is no table; accepted is a status such as 403, { KEY = VALUE }, or a table of its own"),
        (("b",), "1 is no table; accepted is { KEY = VALUE }, or a table of its own"),
    ]
