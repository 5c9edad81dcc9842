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
        (
            "root /srv; try_files $uri /a.php;",
            "/",
            "answered with 501: try_files $uri /a.php: files alone are served here",
        ),
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


def test_what_is_not_there_may_be_somewhere_else(tmp_path):
    lines = f"root {tmp_path}; try_files $uri @app;"
    found = server(f"location / {{ {lines} }} location @app {{ proxy_pass http://127.0.0.1:1; }}")
    assert [one.get("pool") for one in found.routes] == ["127.0.0.1:1"]
    assert "try_files: files are not looked for: all requests go to @app" in found.notes
    found, (one,) = location(f"root {tmp_path}; try_files $uri $uri/ /index.html;")
    assert one["files"] == str(tmp_path)
    assert found.notes == ["try_files: what is not there is answered with 404, and not with /index.html"]
