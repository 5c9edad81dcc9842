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


def test_the_usual_map_of_upgrades_needs_no_line():
    upgrades = "map $http_upgrade $connection_upgrade { default upgrade; '' close; }"
    found, _ = location(
        "proxy_pass http://127.0.0.1:1; proxy_set_header Connection $connection_upgrade;", more=upgrades
    )
    assert found.notes == []


def test_networks_of_geo_are_networks():
    assert server("return 204;", "geo $a { default 0; nowhere 1; }").notes == ["geo: nowhere is no network"]
