"""``allow`` and ``deny``."""

import pytest

from tests.importers.nginx.imported import location
from txproxy.importers.nginx.locations.access_lines import decided
from txproxy.importers.nginx.syntax.blocks import Directive

ANY4, ANY6 = "0.0.0.0/0", "::/0"


def lines(*said):
    return [Directive("x", 1, name, (word,)) for name, word in (one.split() for one in said)]


@pytest.mark.parametrize(
    ("said", "allowed", "refused"),
    [
        (["deny all"], [], [ANY4, ANY6, "unix:"]),
        (["allow all", "deny 10.0.0.1"], [ANY4, ANY6, "unix:"], []),
        (["allow 10.0.0.0/8", "deny all"], ["10.0.0.0/8"], None),
        (["deny 10.0.0.1", "allow 10.0.0.0/31", "deny all"], ["10.0.0.0/32"], None),
        (["deny 10.0.0.0/8"], None, ["10.0.0.0/8"]),
        (["allow 10.0.0.1", "deny 10.0.0.0/31"], None, ["10.0.0.0/32"]),
        (["allow 10.0.0.0/9", "allow 10.128.0.0/9", "allow ::1", "deny all"], ["10.0.0.0/8", "::1/128"], None),
        (["allow 127.0.0.1", "allow unix:", "deny all"], ["127.0.0.1/32", "unix:"], None),
    ],
)  # fmt: skip
def test_the_first_line_counts(said, allowed, refused):
    found = decided(lines(*said))
    assert allowed is None or found[0] == allowed
    assert refused is None or found[1] == refused


def test_those_who_are_not_allowed_are_refused():
    _, (first, last) = location("allow 10.0.0.0/8; deny all; proxy_pass http://127.0.0.1:1;")
    assert first["clients"] == ["10.0.0.0/8"] and "pool" in first and last["respond"] == 403 and "clients" not in last
    _, (first, last) = location("deny 192.0.2.0/24; proxy_pass http://127.0.0.1:1;")
    assert first["clients"] == ["192.0.2.0/24"] and first["respond"] == 403 and "pool" in last
    found, (one,) = location("deny all; proxy_pass http://127.0.0.1:1;")
    assert one["respond"] == 403 and found.pools == {} and found.notes == []


def test_what_is_no_network_allows_nobody():
    found, (one,) = location("allow office.example; deny all; proxy_pass http://127.0.0.1:1;")
    assert one["respond"] == 403 and found.notes == ["allow: nobody is allowed: office.example is no network"]


def test_an_address_or_a_login_may_be_enough(users):
    lines = f"allow 10.0.0.0/8; deny all; auth_basic x; auth_basic_user_file {users}; proxy_pass http://127.0.0.1:1;"
    found, (first, last) = location(f"satisfy any; {lines}")
    assert first["clients"] == ["10.0.0.0/8"] and "login" not in first
    assert "clients" not in last and last["login"]["realm"] == "x" and found.notes == []
    _, (first, last) = location(f"satisfy all; {lines}")
    assert first["clients"] == ["10.0.0.0/8"] and first["login"] and last["respond"] == 403
    _, (one,) = location(f"satisfy any; {lines.replace('allow 10.0.0.0/8; ', '')}")
    assert one["login"] and "clients" not in one


def test_those_who_are_refused_get_the_fields_of_the_place():
    _, (one,) = location("deny all; add_header X-A b always;")
    assert one["respond"] == 403 and one["response_headers"] == {"add": {"X-A": "b"}}


def test_other_methods_may_be_refused():
    lines = "limit_except GET POST { deny all; } proxy_pass http://127.0.0.1:1;"
    found, (first, last) = location(lines)
    assert first["methods"] == ["GET", "POST"] and "pool" in first and last["respond"] == 403 and found.notes == []
    found, (first, last) = location(lines.replace("deny all", "allow 10.0.0.0/8; deny all"))
    assert last["respond"] == 403 and "clients" not in last
    assert found.notes == ["limit_except: nobody may use other methods, whoever is allowed to"]
    _, (one,) = location(lines.replace("deny all;", ""))
    assert "methods" not in one


@pytest.mark.parametrize("guard", ["auth_basic x; auth_basic_user_file /u;", "auth_request /a;", "auth_jwt x;"])
def test_methods_that_want_a_login_are_refused(guard):
    found, (first, last) = location(f"limit_except GET {{ {guard} }} proxy_pass http://127.0.0.1:1;")
    assert first["methods"] == ["GET"] and "pool" in first and last["respond"] == 403 and "methods" not in last
    assert found.notes == ["limit_except: nobody may use other methods, whoever may log in"]
