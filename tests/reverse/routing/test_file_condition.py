"""Whether there is a file for a request."""

import pytest

from txproxy.errors import ConfigError
from txproxy.reverse.routing.file_condition import FileIn
from txproxy.reverse.routing.matches import Match
from txproxy.reverse.routing.route import Route
from txproxy.reverse.routing.routes import Routes
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

CLIENT = context_of("192.0.2.7", "https")


@pytest.fixture
def site(tmp_path):
    (tmp_path / "site" / "docs").mkdir(parents=True)
    (tmp_path / "site" / "empty").mkdir()
    (tmp_path / "site" / ".well-known").mkdir()
    for name in ("a b.txt", "docs/index.html", ".secret", ".well-known/x", "\u00e9"):
        (tmp_path / "site" / name).write_text("x")
    (tmp_path / "out").write_text("out")
    (tmp_path / "site" / "leads-out").symlink_to(tmp_path / "out")
    return str(tmp_path / "site")


def asked(path):
    return RequestHead(b"GET", path, Headers(), authority=b"a.example")


@pytest.mark.parametrize(
    ("path", "with_index", "without"),
    [
        (b"/a%20b.txt", True, True), (b"/a%20b.txt?x=y", True, True), (b"/x/../a%20b.txt", True, True),
        (b"//a%20b.txt", True, True), (b"/a%20b.txt/", False, False), (b"/none", False, False),
        (b"/docs", True, False), (b"/docs/", True, False), (b"/docs/index.html", True, True), (b"/", False, False),
        (b"/empty", False, False), (b"/.secret", False, False), (b"/.well-known/x", True, True),
        (b"/leads-out", False, False), (b"/../out", False, False), (b"/%2e%2e/out", False, False),
        (b"/%c3%a9", True, True), (b"/%ff", False, False), (b"/a%00", False, False), (b"/" + b"x" * 5000, False, False),
        (b"*", False, False),
    ],
)  # fmt: skip
def test_what_is_a_file_there(site, path, with_index, without):
    for index, wanted in ((True, with_index), (False, without)):
        assert FileIn.parse(site, index).holds(asked(path), CLIENT) is wanted
    assert "there is no such file in" in FileIn(site).why(asked(path), CLIENT)


def test_a_folder_has_to_be_one(tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("none", "file"):
        with pytest.raises(ConfigError, match=r"^file_in: .* is no directory; accepted"):
            Match(file_in=str(tmp_path / name))


def test_one_covers_another(site):
    assert FileIn(site).covers(FileIn(site, False)) and FileIn(site, False).covers(FileIn(site, False))
    assert not FileIn(site, False).covers(FileIn(site)) and not FileIn(site).covers(FileIn("/"))
    assert not FileIn(site).covers(Match(methods="GET").conditions[0])


def test_routes_are_taken_by_what_there_is(site):
    files, rest = Route("files", Match(file_in=site), None), Route("rest", Match(), None)
    routes = Routes([rest, files])
    # A file may come and go between two requests that are alike.
    assert routes.by_chance
    assert routes.find(asked(b"/docs/"), CLIENT) is files and routes.find(asked(b"/x"), CLIENT) is rest
    assert {route.name: why for route, why in routes.explain(asked(b"/x"), CLIENT, rest)} == {
        "files": f"there is no such file in {site}", "rest": "taken",
    }  # fmt: skip
