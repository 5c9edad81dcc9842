"""``map`` and ``geo``."""

import pytest

from tests.importers.nginx.imported import location, server
from txproxy.importers.nginx.locations.value_tables import ValueTable
from txproxy.importers.notes import Untranslatable


def test_a_table_that_is_always_the_same_is_known():
    assert ValueTable("a", "b", (("x", "1"),), "1").constant == "1"
    assert ValueTable("a", "b", (("x", "1"),), "2").constant is None
    assert ValueTable("a", "b", (), "$host").constant is None
    found = server("proxy_pass http://$up; return 200 $up;", "map $host $up { default app; }")
    assert found.routes[0]["respond"]["body"] == "app"


def test_a_table_of_what_depends_on_others_is_no_condition():
    table = ValueTable("a", "http_b", (("x", "$c"),), "")
    with pytest.raises(Untranslatable, match=r"\$a has other variables as its values"):
        table.condition(bool)
    table = ValueTable("a", "http_b", (("~x", "1"), ("~y", "0")), "0")
    with pytest.raises(Untranslatable, match=r"\$a has expressions for both"):
        table.condition(lambda value: value == "1")
    with pytest.raises(Untranslatable, match="that a variable is empty"):
        ValueTable("a", "http_b", (("", "1"),), "0").condition(lambda value: value == "1")


@pytest.mark.parametrize(
    ("block", "said", "why"),
    [
        ("geo $g { default 0; 127.0.0.0/8 1; 127.0.0.1/32 0; }", "$g = 0", None),
        ("geo $g { default 0; 127.0.0.0/8 1; 127.0.0.1/32 0; }", "$g = 1", "$g has 127.0.0.1/32 within 127.0.0.0/8"),
        ("geo $g { default 0; ::/0 1; ::1 0; }", "$g", "$g has ::1 within ::/0"),
        ("map $remote_addr $g { default 0; 10.0.0.0/8 1; }", "$g", "the keys of $g are addresses"),
        ("map $http_a $g { hostnames; default 0; *.example 1; }", "$g", "$g has names with *.example"),
    ],
)
def test_what_stands_within_another_key_is_no_condition(block, said, why):
    found, routes = location(f"if ({said}) {{ return 403; }} return 204;", more=block)
    assert [one["respond"] for one in routes] == [204]
    (note,) = found.notes
    assert (why or "$g has 127.0.0.1/32 within 127.0.0.0/8") in note and note.endswith("not refused")


def test_a_network_within_one_that_does_not_fit_is_a_condition():
    geo = "geo $g { default 0; 10.0.0.0/8 0; 10.1.0.0/16 1; ::1 1; }"
    _, routes = location("if ($g) { return 403; } return 204;", more=geo)
    assert [one.get("clients") for one in routes] == [["10.1.0.0/16"], ["::1"], None]


def test_names_within_patterns_are_no_condition():
    table = ValueTable("m", "host", ((".a.example", "1"), ("b.a.example", "0")), "0", hostnames=True)
    with pytest.raises(Untranslatable, match=r"\$m has names with \.a\.example among them"):
        table.condition(bool_of)
    table = ValueTable("m", "host", ((".a.example", "1"), ("b.a.example", "1")), "0", hostnames=True)
    assert [one["hosts"] for one in table.condition(bool_of).alternatives] == [[".a.example"], ["b.a.example"]]


def bool_of(value):
    return value == "1"


def test_the_case_of_keys_does_not_count():
    _, routes = location("if ($m) { return 403; } return 204;", more="map $http_x_a $m { default 0; Bad 1; 12 1; }")
    assert [one.get("headers") for one in routes] == [{"x-a": "~(?i)Bad"}, {"x-a": "12"}, None]


@pytest.mark.parametrize("source", ['"$http_x_a:$http_x_b"', "x$host", "host", '""'])
def test_a_map_is_of_one_variable(source):
    found, routes = location("if ($m) { return 403; } return 204;", more=f"map {source} $m {{ a:b 1; }}")
    assert [one["respond"] for one in routes] == [204]
    assert any(note.startswith("map: ") and note.endswith("is no variable alone") for note in found.notes)
    assert not any(note.startswith("a:b") for note in found.notes)


def test_a_variable_may_stand_in_braces():
    _, routes = location("if ($m) { return 403; } return 204;", more="map ${http_a} $m { default 0; 1 1; }")
    assert routes[0]["headers"] == {"a": "1"}


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("ranges; 10.0.0.0-10.0.0.9 1;", "ranges is not known here"),
        ("10.0.0.0/8 1; delete 10.0.0.0/8;", "delete is not known here"),
        ("proxy 10.0.0.1; 192.0.2.0/24 1;", "proxy is not known here"),
    ],
)
def test_what_changes_the_meaning_of_networks_is_told(lines, why):
    found, routes = location("if ($g) { return 403; } return 204;", more=f"geo $g {{ default 0; {lines} }}")
    assert [one["respond"] for one in routes] == [204] and f"geo: {why}" in found.notes
    found, _ = location("return 204;", more="geo $http_a $g { default 0; 10.0.0.0/8 1; }")
    assert found.notes == ["geo: networks are of the client's address here, and not of $http_a"]


def test_the_usual_map_of_upgrades_needs_no_line():
    upgrades = "map $http_upgrade $connection_upgrade { default upgrade; '' close; }"
    found, _ = location(
        "proxy_pass http://127.0.0.1:1; proxy_set_header Connection $connection_upgrade;", more=upgrades
    )
    assert found.notes == []


def test_networks_of_geo_are_networks():
    assert server("return 204;", "geo $a { default 0; nowhere 1; }").notes == ["geo: nowhere is no network"]
