"""``root`` and ``alias``."""

import pytest

from tests.importers.nginx.imported import location, server


@pytest.mark.parametrize(
    ("lines", "place", "table"),
    [
        ("root {};", "/", {"files": "{}"}),
        ("root {}; try_files $uri $uri/ =404;", "/a/", {"files": "{}"}),
        ("alias {}/;", "/a/", {"files": "{}/", "strip_prefix": "/a"}),
        ("alias {};", "/a", {"files": "{}", "strip_prefix": "/a"}),
    ],
)
def test_files_are_served_from_a_folder(lines, place, table, tmp_path):
    found, (one,) = location(lines.replace("{}", str(tmp_path)), place)
    wanted = {key: said.replace("{}", str(tmp_path)) for key, said in table.items()}
    assert {key: said for key, said in one.items() if key not in ("name", "listeners", "path")} == wanted
    assert found.notes == []


@pytest.mark.parametrize(
    ("lines", "place", "why"),
    [
        ("root /srv; try_files $uri $uri.html =404;", "/", "answered with 501: try_files: $uri.html is not looked for"),
        ("root /srv; try_files $uri /$x.html;", "/", "try_files: /$x.html is not known before a request comes"),
        ("root /srv; try_files $uri /a.html?x=y;", "/", "try_files: /a.html?x=y is not known before a request comes"),
        ("root /srv; try_files $uri @none;", "/", "try_files: there is no location @none"),
        ("root /srv; try_files $uri =99;", "/", "try_files: =99 is no status of an answer"),
        ("alias /srv/; try_files $uri /x.png;", "/a/", "try_files with alias: /x.png is for what root has not"),
        ("alias /srv/;", "/a", "both end with a slash here, or both without"),
        ("alias /srv/x;", "= /a", "both end with a slash here, or both without"),
        ("root $home;", "/", "$home is not known before a request comes"),
        ("root html;", "/", "html: from where it is meant is for nginx to know"),
        ("", "/", "answered with 404: nothing says what is served here"),
    ],
)
def test_what_cannot_be_served_is_told(lines, place, why):
    found, (one,) = location(lines, place)
    assert one["respond"] in (404, 501) and why in found.notes[0]


def test_indexes_and_lists(tmp_path):
    found, _ = location(f"root {tmp_path}; index home.htm; autoindex on;")
    assert found.notes == [
        "index: the index of a folder is index.html or index.htm", "autoindex: what is in a folder is not listed"
    ]  # fmt: skip


def _tried(tmp_path, words, more=""):
    lines = f"root {tmp_path}; add_header X-A b always; try_files {words};"
    app = "location @app { proxy_pass http://127.0.0.1:1; }"
    found = server(f"location / {{ {lines} }} {app} {more}")
    told = [note for note in found.notes if "pool" not in note and "no route" not in note]
    return told, [
        {key: said for key, said in one.items() if key not in ("name", "listeners", "path")} for one in found.routes
    ]


@pytest.mark.parametrize(
    ("words", "index", "rest"),
    [
        ("$uri $uri/ @app", True, {"pool": "127.0.0.1:1", "host": "127.0.0.1:1"}),
        ("$uri/index.html $uri @app", True, {"pool": "127.0.0.1:1", "host": "127.0.0.1:1"}),
        ("$uri @app", False, {"pool": "127.0.0.1:1", "host": "127.0.0.1:1"}),
        ("$uri $uri/ =410", True, {"respond": 410, "response_headers": {"add": {"X-A": "b"}}}),
        (
            "$uri $uri/ /index.html",
            True,
            {
                "files": "{}",
                "rewrite": {"pattern": ".*", "replacement": "/index.html"},
                "response_headers": {"add": {"X-A": "b"}},
            },
        ),
    ],
)
def test_what_is_not_there_may_be_somewhere_else(words, index, rest, tmp_path):
    place = str(tmp_path)
    notes, (first, second) = _tried(tmp_path, words)
    there = place if index else {"folder": place, "index": False}
    assert first == {"file_in": there, "files": place, "response_headers": {"add": {"X-A": "b"}}}
    assert second == {key: place if said == "{}" else said for key, said in rest.items()}
    assert not any(note.startswith("try_files") for note in notes)


def test_what_is_not_there_may_be_another_locations(tmp_path):
    more = "location /api/ { proxy_pass http://127.0.0.1:2; }"
    _, routes = _tried(tmp_path, "$uri /api/missing?$args", more)
    assert {"pattern": ".*", "replacement": "/api/missing"} in [one.get("rewrite") for one in routes]
    more = "location ~ \\.php$ { fastcgi_pass 127.0.0.1:9; }"
    notes, routes = _tried(tmp_path, "$uri /index.php?$query_string", more)
    assert any("FastCGI is not spoken here" in note for note in notes)
    assert [one for one in routes if one.get("respond") == 501 and "file_in" not in one]


def test_what_is_looked_for_again_may_be_a_file(tmp_path):
    lines = f"root {tmp_path}; location / {{ try_files $uri /index.html; }} "
    found = server(
        lines + "location /a/ { try_files $uri /b/c.html; } location /r/ { rewrite ^/r/(.*)$ /pages/$1 last; }"
    )
    first, second = (one for one in found.routes if one["name"].startswith("a.example /a/"))
    assert first["file_in"] == {"folder": str(tmp_path), "index": False} and "rewrite" not in first
    assert second["rewrite"] == {"pattern": ".*", "replacement": "/b/c.html"} and "file_in" not in second
    # Which file is meant there is not known.
    (note,) = found.notes
    assert "whether a file is there is asked of the path as it came" in note


def test_where_there_is_no_folder_nothing_is_looked_for():
    found = server("location / { try_files $uri @app; } location @app { proxy_pass http://127.0.0.1:1; }")
    assert [one.get("pool") for one in found.routes] == ["127.0.0.1:1"] and found.notes == []
