"""``auth_basic`` and ``auth_request``."""

import pytest

from tests.importers.nginx.imported import location, server

PASS = "proxy_pass http://127.0.0.1:1;"


def test_users_of_a_file(users):
    found, (one,) = location(f"auth_basic 'In here'; auth_basic_user_file {users}; {PASS}")
    assert one["login"] == {"password_file": users, "realm": "In here", "pass_credentials": True} and found.notes == []
    _, (one,) = location(f"auth_basic off; {PASS}", more="auth_basic x; auth_basic_user_file none;")
    assert "login" not in one


@pytest.mark.parametrize("lines", ["auth_basic x;", "auth_basic x; auth_basic_user_file $users;", "auth_basic $realm;"])
def test_nobody_gets_in_where_nobody_is_known(lines):
    found, (one,) = location(lines + PASS)
    assert one["respond"] == 403
    assert found.notes[0].startswith("location: answered with 403: auth_basic has no file of users")


ASKED = "location = /ask { internal; proxy_pass http://127.0.0.1:2/verify; }"


def test_another_server_may_be_asked():
    lines = "auth_request /ask; auth_request_set $who $upstream_http_x_user; proxy_set_header X-User $who;" + PASS
    found = server(f"location / {{ {lines} }} {ASKED}")
    one = next(one for one in found.routes if "auth" in one)
    assert one["auth"] == {"pool": "127.0.0.1:2", "path": "/verify", "copy": ["X-User"]}
    assert "request_headers" not in one and found.notes == []
    found = server(f"auth_request /ask; location / {{ auth_request off; {PASS} }} {ASKED}")
    assert not [one for one in found.routes if "auth" in one]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("", "auth_request leads to /ask, and no location is for that alone"),
        ("location = /ask { return 204; }", "location /ask is passed to nobody"),
        ("location = /ask { proxy_pass http://127.0.0.1:2/$arg_a; }", "/$arg_a is not known before a request comes"),
    ],
)
def test_nobody_gets_in_where_nobody_can_be_asked(asked, why):
    found = server(f"location / {{ auth_request /ask; {PASS} }} {asked}")
    assert found.routes[-1]["respond"] == 403 and f"location: answered with 403: {why}" in found.notes


def test_what_is_not_copied_has_a_line():
    lines = "auth_request /ask; auth_request_set $who $upstream_status;" + PASS
    found = server(f"location / {{ {lines} }} {ASKED}")
    assert found.notes == ["auth_request_set: $upstream_status is not copied: fields of the answer are"]


@pytest.mark.parametrize("line", ["auth_jwt x;", "access_by_lua_block { x; }", "auth_ldap x;"])
def test_nobody_gets_in_by_what_is_not_known(line):
    found, (one,) = location(line + PASS)
    assert one["respond"] == 403 and "lets some pass, and nobody is asked here whom" in found.notes[0]
    _, (one,) = location("auth_jwt off;" + PASS)
    assert "pool" in one
