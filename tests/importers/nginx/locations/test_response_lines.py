"""Fields for clients, and what servers say of themselves."""

import pytest

from tests.importers.nginx.imported import location

PASS = "proxy_pass http://127.0.0.1:1;"


def good(**changes):
    """Changes for the responses that nginx means without ``always``."""
    return {"by_status": [{"status": [200, 201, 204, 206, 301, 302, 303, 304, 307, 308], **changes}]}


@pytest.mark.parametrize(
    ("lines", "table"),
    [
        ("add_header X-A b always;", {"add": {"X-A": "b"}}),
        ("add_header X-A b always; add_header X-A c always;", {"add": {"X-A": ["b", "c"]}}),
        ("add_header X-At $upstream_addr always;", {"add": {"X-At": "$upstream"}}),
        ("proxy_hide_header X-Powered-By; proxy_hide_header x-powered-by;", {"remove": ["X-Powered-By"]}),
        ("expires 1h;", good(set={"Cache-Control": "max-age=3600"}, remove=["Expires"])),
        ("expires -1;", good(set={"Cache-Control": "no-cache"}, remove=["Expires"])),
        ("expires max;", good(set={"Cache-Control": "max-age=315360000"}, remove=["Expires"])),
        ("add_header X-A b; add_header X-A c;", good(add={"X-A": ["b", "c"]})),
        ("add_header X-A b; add_header X-B c always;", {"add": {"X-B": "c"}, **good(add={"X-A": "b"})}),
        ("expires off;", None),
    ],
)
def test_fields_for_clients(lines, table):
    found, (one,) = location(PASS + lines)
    assert one.get("response_headers") == table and found.notes == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("add_header X-A $request_id;", "$request_id is not known here"),
        ("add_header X-Cache $upstream_cache_status;", "Cache-Status says it"),
        ("add_header X-A $request_id always;", "$request_id is not known here"),
        ("expires $when;", "$when is not known before a response comes"),
    ],
)
def test_what_clients_cannot_be_told_has_a_line(line, why):
    found, _ = location(PASS + line)
    assert len(found.notes) == 1 and why in found.notes[0]


@pytest.mark.parametrize(
    ("lines", "table", "notes"),
    [
        ("proxy_redirect off;", {"map_location": False}, 0),
        ("proxy_redirect default;", {}, 0),
        ("proxy_redirect http://a/ http://b/;", {"map_location": {"http://a/": "http://b/"}}, 0),
        (
            "proxy_redirect default; proxy_redirect http://a/ /; proxy_redirect http:// $scheme://;",
            {"map_location": {"http://a/": "/", "http://": "http://"}},
            0,
        ),
        (
            r"proxy_redirect ~*^http://(?<host>[^/]+)/a(.*)$ http://$1/$2;",
            {"map_location": {r"~(?i)http://(?P<host>[^/]+)/a(.*)": "http://$1/$2"}},
            0,
        ),
        ("proxy_redirect http://a/ $upstream_x;", {}, 1),
        ("proxy_redirect $proxy_x /;", {}, 1),
        ("proxy_redirect http://a/;", {}, 1),
        ("proxy_redirect ~( /;", {}, 1),
        ("proxy_cookie_domain a.example b.example;", {"cookie_domains": {"a.example": "b.example"}}, 0),
        ("proxy_cookie_domain .a.example $server_name;", {"cookie_domains": {"a.example": "a.example"}}, 0),
        ("proxy_cookie_domain off;", {}, 0),
        ("proxy_cookie_domain ~a b;", {}, 1),
        ("proxy_cookie_domain a.example $host;", {}, 1),
        ("proxy_redirect off; proxy_cookie_domain a.example b.example;", {"map_location": False}, 1),
        ("proxy_cookie_path / /a/;", {"cookie_paths": {"/": "/a/"}}, 0),
        ("proxy_cookie_path /two/ /; proxy_cookie_path / /a/;", {"cookie_paths": {"/two/": "/", "/": "/a/"}}, 0),
        ("proxy_cookie_path ~^/two /;", {}, 1),
        ("proxy_cookie_path off;", {}, 0),
        (
            'proxy_cookie_path / "/; HttpOnly; Secure; SameSite=strict";',
            {"cookie_flags": {"*": ["httponly", "secure", "samesite=strict"]}},
            0,
        ),
        ('proxy_cookie_path / "/; Partitioned";', {}, 1),
        ("proxy_cookie_flags one httponly SameSite=Lax;", {"cookie_flags": {"one": ["httponly", "samesite=lax"]}}, 0),
        (
            "proxy_cookie_flags one secure; proxy_cookie_flags ~ nosecure; proxy_cookie_flags ~^Two nosamesite;",
            {"cookie_flags": {"one": ["secure"], "*": ["nosecure"], "~(?i)Two.*": ["nosamesite"]}},
            0,
        ),
        ("proxy_cookie_flags off;", {}, 0),
        ("proxy_cookie_flags one $flags;", {}, 1),
        ("proxy_cookie_flags one;", {}, 1),
        ("proxy_cookie_flags one pure;", {}, 1),
    ],
)
def test_what_servers_say_of_themselves(lines, table, notes):
    found, (one,) = location(PASS + lines)
    keys = ("map_location", "cookie_domains", "cookie_paths", "cookie_flags")
    assert {key: one[key] for key in keys if key in one} == table
    assert len(found.notes) == notes
