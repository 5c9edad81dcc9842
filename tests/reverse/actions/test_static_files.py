"""Static files: what is served, how, and what never is."""

import os

import pytest
from twisted.internet import task
from twisted.logger import capturedLogs

from txproxy import ReverseProxyFactory
from txproxy.errors import ConfigError
from txproxy.net.dialing import Dialer
from txproxy.proxy.error_pages import ErrorPages, Page
from txproxy.reverse.actions.static_files import Files
from txproxy.reverse.mode import ReverseMode
from txproxy.testing import ProxyInMemory

STEP = 0.001
SECRET = b"the secret"


@pytest.fixture
def site(tmp_path):
    """A directory to serve, beside one that is none of anybody's business."""
    site = tmp_path / "site"
    outside = tmp_path / "site-private"
    for directory in (site, site / "sub", site / "empty", site / ".git", site / ".well-known", outside):
        directory.mkdir()
    (outside / "secret.txt").write_bytes(SECRET)
    (site / ".env").write_bytes(SECRET)
    (site / ".git" / "config").write_bytes(SECRET)
    (site / ".well-known" / "challenge").write_text("known")
    (site / "index.html").write_text("<p>index")
    (site / "sub" / "index.htm").write_text("<p>sub")
    (site / "digits.txt").write_text("0123456789")
    os.utime(site / "digits.txt", (1_000_000_000, 1_000_000_000))
    return site


@pytest.fixture
def serve(monkeypatch, site):
    """Serves the directory, in memory; gives what asks it."""
    made = []

    def serve(directory=site):
        mode = ReverseMode(Files(str(directory)))
        proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(mode, reactor=reactor))
        proxy.factory.services.dialer = Dialer(proxy.clock, 5)
        # File's producers are driven by a cooperator on the program's reactor: here by one on the clock.
        cooperator = task.Cooperator(
            terminationPredicateFactory=lambda: lambda: True, scheduler=lambda run: proxy.clock.callLater(STEP, run)
        )
        monkeypatch.setattr(task, "_theCooperator", cooperator)
        made.append(proxy)

        def ask(target, *lines, method=b"GET", meanwhile=None):
            client = ask.client = proxy.connect()
            if meanwhile is not None:
                proxy.clock.callLater(1.5 * STEP, meanwhile)
            client.send(b"\r\n".join([method + b" " + target + b" HTTP/1.1", b"Host: a.example", *lines, b"", b""]))
            for _ in range(10):
                proxy.clock.advance(STEP)
            head, _, body = client.received.partition(b"\r\n\r\n")
            first, *fields = head.split(b"\r\n")
            names = {name.lower(): value for name, _, value in (field.partition(b": ") for field in fields)}
            assert b"twisted" not in head.lower()
            return int(first.split(b" ")[1]), names, body

        ask.proxy = proxy
        return ask

    yield serve
    for proxy in made:
        proxy.close()


@pytest.fixture
def ask(serve):
    return serve()


def test_a_file_is_served_with_its_type_and_length(ask):
    status, fields, body = ask(b"/digits.txt?v=1")
    assert (status, body) == (200, b"0123456789")
    assert fields[b"content-type"] == b"text/plain" and fields[b"content-length"] == b"10"
    assert fields[b"last-modified"] == b"Sun, 09 Sep 2001 01:46:40 GMT" and b"etag" in fields


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", b"text/html"),
        ("a.css", b"text/css"),
        ("a.mjs", b"text/javascript"),
        ("a.svg", b"image/svg+xml"),
        ("a.woff2", b"font/woff2"),
        ("a.tar.gz", b"application/gzip"),
        ("a.unheard-of", b"application/octet-stream"),
        ("a", b"application/octet-stream"),
    ],
)
def test_types(ask, site, name, kind):
    (site / name).write_bytes(b"x")
    status, fields, body = ask(b"/" + name.encode())
    assert (status, fields[b"content-type"], body) == (200, kind, b"x")
    assert b"content-encoding" not in fields


def test_names_of_any_script_and_with_any_sign(ask, site):
    for name in ("ä ö.txt", "a+b&c.txt", "100%.txt", "a;b"):
        (site / name).write_text(name)
    for target, content in {
        b"/%c3%a4%20%C3%B6.txt": "ä ö.txt",
        b"/a+b&c.txt": "a+b&c.txt",
        b"/100%25.txt": "100%.txt",
        b"/a;b": "a;b",
    }.items():
        assert ask(target)[::2] == (200, content.encode())


def test_an_index_is_the_directory(ask):
    assert ask(b"/")[::2] == (200, b"<p>index")
    assert ask(b"/sub/")[::2] == (200, b"<p>sub")
    assert ask(b"/sub/")[1][b"content-type"] == b"text/html"


@pytest.mark.parametrize(
    "target", [b"//digits.txt", b"/%64igits.txt", b"/sub/../digits.txt", b"/sub/..%2fdigits.txt?x", b"/.//digits.txt"]
)
def test_a_path_is_read_as_everywhere(ask, target):
    assert ask(target)[::2] == (200, b"0123456789")


def test_a_directory_without_a_slash_is_sent_to_the_one_with_it(ask):
    status, fields, body = ask(b"/sub?x=y")
    assert (status, fields[b"location"], body) == (301, b"./sub/?x=y", b"")


def test_pages_of_ones_own_stand_for_what_is_not_there(serve, site):
    ask = serve()
    ask.proxy.factory.services.pages = ErrorPages({404: Page(text="<p>gone"), "4xx": Page(text="no")})
    for target in (b"/missing", b"/sub/missing", b"/empty/", b"/.env", b"/%ff"):
        status, fields, body = ask(target)
        assert (status, fields[b"content-type"], body) == (404, b"text/html; charset=utf-8", b"<p>gone")
    assert ask(b"/digits.txt", method=b"PUT")[::2] == (405, b"no")
    assert ask(b"/digits.txt", b'If-Match: "x"')[::2] == (412, b"no")
    status, fields, body = ask(b"/missing", method=b"HEAD")
    assert (status, fields[b"content-length"], body) == (404, b"7", b"")
    assert ask(b"/digits.txt")[0] == 200


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([b"If-Match: TAG"], 200),
        ([b'If-Match: "x", TAG'], 200),
        ([b'If-Match: "x"', b"If-Match: TAG"], 200),
        ([b"If-Match: *"], 200),
        ([b'If-Match: "x"'], 412),
        # RFC 9110 13.1.1: the strong comparison
        ([b"If-Match: W/TAG"], 412),
        ([b"If-Match: "], 412),
        ([b"If-Unmodified-Since: Sun, 09 Sep 2001 01:46:40 GMT"], 200),
        ([b"If-Unmodified-Since: Sun, 09 Sep 2001 01:46:41 GMT"], 200),
        ([b"If-Unmodified-Since: Sun, 09 Sep 2001 01:46:39 GMT"], 412),
        ([b"If-Unmodified-Since: yesterday"], 200),
        # 13.2.2: in this order
        ([b"If-Match: TAG", b"If-Unmodified-Since: Sun, 09 Sep 2001 01:46:39 GMT"], 200),
        ([b"If-Match: TAG", b"If-None-Match: TAG"], 304),
        ([b'If-Match: "x"', b"If-None-Match: TAG"], 412),
        ([b"If-Unmodified-Since: Sun, 09 Sep 2001 01:46:39 GMT", b"If-None-Match: TAG"], 412),
        ([b"If-Match: TAG", b"Range: bytes=0-1"], 206),
        ([b'If-Match: "x"', b"Range: bytes=0-1"], 412),
    ],
)
def test_a_file_that_has_to_be_as_it_was(ask, lines, status):
    tag = ask(b"/digits.txt")[1][b"etag"]
    for method in (b"GET", b"HEAD"):
        got, _, body = ask(b"/digits.txt", *[line.replace(b"TAG", tag) for line in lines], method=method)
        assert got == (200 if got == 200 and status == 206 and method == b"HEAD" else status)
        assert (body == b"0123456789") is (status == 200 and method == b"GET")


def test_what_is_no_file_has_no_conditions(ask):
    assert ask(b"/missing", b"If-Match: *")[0] == 404
    assert ask(b"/sub", b'If-Match: "x"')[0] == 301


def test_there_are_no_listings(ask):
    assert ask(b"/empty/")[0] == 404
    assert ask(b"/.well-known/")[0] == 404
    assert ask(b"/.well-known/challenge")[::2] == (200, b"known")


@pytest.mark.parametrize(
    "target",
    [
        b"/missing",
        b"/sub/missing/deep",
        b"/digits.txt/",
        b"/digits.txt/x",
        b"//evil.example/sub",
        b"/%ff",
        b"/a%00b",
        b"/digits.txt%00",
        b"/%00",
        b"/" + b"x" * 300,
        b"/" + b"x/" * 500,
    ],
)
def test_what_is_not_there_is_a_404_and_no_traceback(ask, target):
    with capturedLogs() as said:
        status, fields, body = ask(target)
    assert (status, fields[b"content-type"]) == (404, b"text/plain; charset=utf-8")
    assert body == b"there is no such file\n"
    assert not [event for event in said if "log_failure" in event]


@pytest.mark.parametrize(
    "target",
    [
        b"/../site-private/secret.txt",
        b"/..%2fsite-private%2fsecret.txt",
        b"/%2e%2e/site-private/secret.txt",
        b"/%2E%2E%2Fsite-private/secret.txt",
        b"/sub/../../site-private/secret.txt",
        b"/sub/%2e%2e/%2e%2e/site-private/secret.txt",
        b"/..;/site-private/secret.txt",
        b"/%252e%252e/site-private/secret.txt",
        b"/..%5csite-private%5csecret.txt",
        b"/%c0%ae%c0%ae/site-private/secret.txt",
        b"/%2e%2e%00/site-private/secret.txt",
        b"/-private/secret.txt",
        b"/.env",
        b"/%2eenv",
        b"/./.env",
        b"/sub/../.env",
        b"/.git/config",
        b"/.git",
        b"/.well-known/../.env",
        b"/.well-known/.env",
    ],
)
def test_nothing_outside_and_nothing_hidden_is_served(ask, site, target):
    (site / ".well-known" / ".env").write_bytes(SECRET)
    status, _, body = ask(target)
    assert status in (400, 404)
    assert SECRET not in body


def test_an_absolute_name_is_one_below_the_directory(ask, tmp_path):
    target = b"/" + os.fsencode(tmp_path / "site-private" / "secret.txt").replace(b"/", b"%2f")
    assert ask(target)[0] == 404
    assert ask(b"/" + os.fsencode(tmp_path / "site-private" / "secret.txt"))[0] == 404


def test_links_within_are_followed_and_those_that_lead_out_are_not(ask, site, tmp_path):
    outside = tmp_path / "site-private"
    (site / "link.txt").symlink_to("digits.txt")
    (site / "linked").symlink_to("sub")
    (site / "out.txt").symlink_to(outside / "secret.txt")
    (site / "out").symlink_to(outside)
    (site / "twice.txt").symlink_to("out.txt")
    (site / "loop").symlink_to("loop")
    (site / "hidden.txt").symlink_to(".env")
    (outside / "back").symlink_to(site)
    assert ask(b"/link.txt")[::2] == (200, b"0123456789")
    assert ask(b"/linked/")[::2] == (200, b"<p>sub")
    for target in (b"/out.txt", b"/out/secret.txt", b"/out", b"/out/", b"/twice.txt", b"/loop", b"/loop/x"):
        status, fields, body = ask(target)
        assert (status, body) == (404, b"there is no such file\n"), target
        assert b"location" not in fields
    # A link that says so is the owner's word; what it leads to is within.
    assert ask(b"/hidden.txt")[0] == 200
    assert ask(b"/out/back/digits.txt")[0] == 200


def test_an_index_that_is_a_link_out_is_not_served(ask, site, tmp_path):
    (site / "empty" / "index.html").symlink_to(tmp_path / "site-private" / "secret.txt")
    assert ask(b"/empty/")[0] == 404


def test_the_directory_may_be_a_link_that_is_set_elsewhere(serve, site, tmp_path):
    other = tmp_path / "next"
    other.mkdir()
    (other / "digits.txt").write_text("next")
    current = tmp_path / "current"
    current.symlink_to(site)
    ask = serve(current)
    assert ask(b"/digits.txt")[::2] == (200, b"0123456789")
    current.unlink()
    current.symlink_to(other)
    assert ask(b"/digits.txt")[::2] == (200, b"next")


def test_what_is_no_regular_file_is_not_there(ask, site):
    # To open it would wait for a writer.
    os.mkfifo(site / "pipe")
    assert ask(b"/pipe")[0] == 404


@pytest.mark.skipif(os.geteuid() == 0, reason="everything can be read by root")
def test_what_cannot_be_read_is_a_403(ask, site):
    (site / "digits.txt").chmod(0)
    assert ask(b"/digits.txt")[0] == 403


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"PROPFIND"])
def test_files_can_be_read_and_nothing_else(ask, site, method):
    status, fields, _ = ask(b"/digits.txt", b"Content-Length: 0", method=method)
    assert (status, fields[b"allow"]) == (405, b"GET, HEAD")
    assert (site / "digits.txt").read_text() == "0123456789"


@pytest.mark.parametrize("target", [b"/digits.txt", b"/", b"/missing", b"/sub"])
def test_head_is_a_get_without_a_body(ask, target):
    status, fields, _ = ask(target)
    head_status, head_fields, body = ask(target, method=b"HEAD")
    for names in (fields, head_fields):
        del names[b"date"]
    assert (head_status, head_fields, body) == (status, fields, b"")


# -- conditions


def test_who_has_it_already_does_not_get_it_again(ask):
    _, fields, _ = ask(b"/digits.txt")
    date, tag = fields[b"last-modified"], fields[b"etag"]
    for lines in (
        [b"If-Modified-Since: " + date],
        [b"If-None-Match: " + tag],
        [b'If-None-Match: "a", W/' + tag + b', "b"'],
        [b'If-None-Match: "a"', b"If-None-Match: " + tag],
        [b"If-None-Match: *"],
        [b"If-None-Match: " + tag, b"If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT"],
        [b"If-None-Match: " + tag, b"Range: bytes=0-1"],
    ):
        for method in (b"GET", b"HEAD"):
            status, fields, body = ask(b"/digits.txt", *lines, method=method)
            assert (status, body) == (304, b""), lines
            assert fields[b"etag"] == tag and fields[b"last-modified"] == date
            assert fields.get(b"content-length", b"10") == b"10"


def test_who_has_another_gets_it(ask, site):
    _, fields, _ = ask(b"/digits.txt")
    date, tag = fields[b"last-modified"], fields[b"etag"]
    for lines in (
        [b"If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT"],
        [b"If-Modified-Since: yesterday"],
        [b'If-None-Match: "other"'],
        [b'If-None-Match: "other"', b"If-Modified-Since: " + date],
    ):
        assert ask(b"/digits.txt", *lines)[::2] == (200, b"0123456789"), lines
    # It has changed within the second, and its length is the same.
    (site / "digits.txt").write_text("9876543210")
    os.utime(site / "digits.txt", (1_000_000_000.5, 1_000_000_000.5))
    assert ask(b"/digits.txt", b"If-None-Match: " + tag)[::2] == (200, b"9876543210")


# -- ranges


@pytest.mark.parametrize(
    ("wanted", "content", "where"),
    [
        (b"bytes=0-0", b"0", b"bytes 0-0/10"),
        (b"bytes=2-4", b"234", b"bytes 2-4/10"),
        (b"bytes=7-", b"789", b"bytes 7-9/10"),
        (b"bytes=-3", b"789", b"bytes 7-9/10"),
        (b"bytes=8-999", b"89", b"bytes 8-9/10"),
        (b"bytes=-999", b"0123456789", b"bytes 0-9/10"),
        (b"bytes=-10", b"0123456789", b"bytes 0-9/10"),
        (b"BYTES=0-1", b"01", b"bytes 0-1/10"),
    ],
)
def test_ranges(ask, wanted, content, where):
    status, fields, body = ask(b"/digits.txt", b"Range: " + wanted)
    assert (status, body, fields[b"content-range"]) == (206, content, where)
    assert fields[b"content-length"] == b"%d" % len(content)


@pytest.mark.parametrize("wanted", [b"bytes=10-", b"bytes=10-20", b"bytes=-0", b"bytes=999999999999999999-"])
def test_a_range_that_is_not_there(ask, wanted):
    status, fields, body = ask(b"/digits.txt", b"Range: " + wanted)
    assert (status, fields[b"content-range"], body) == (416, b"bytes */10", b"")


@pytest.mark.parametrize(
    "wanted",
    [
        b"bytes=4-2",
        b"bytes=",
        b"bytes=-",
        b"bytes=a-b",
        b"bytes=0-1,x",
        b"bytes=+1-2",
        b"bytes=1-2-3",
        b"lines=0-1",
        b"bytes",
        b"bytes=" + b"9" * 5000 + b"-",
        b"bytes=" + b",".join([b"0-"] * 17),
    ],
)
def test_a_range_that_is_none_or_too_many_are_a_request_for_the_whole(ask, wanted):
    with capturedLogs() as said:
        assert ask(b"/digits.txt", b"Range: " + wanted)[::2] == (200, b"0123456789")
    assert not [event for event in said if "log_failure" in event]


def test_several_ranges_come_as_several_parts(ask):
    status, fields, body = ask(b"/digits.txt", b"Range: bytes=0-1, -2, 4-999")
    assert status == 206
    boundary = fields[b"content-type"].partition(b'boundary="')[2].rstrip(b'"')
    parts = [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in body.split(b"--" + boundary)[1:-1]]
    assert parts == [b"01", b"89", b"456789"]
    assert fields[b"content-length"] == b"%d" % len(body)


def test_a_range_of_what_has_changed_is_the_whole(ask):
    tag = ask(b"/digits.txt")[1][b"etag"]
    assert ask(b"/digits.txt", b"Range: bytes=0-1", b"If-Range: " + tag)[::2] == (206, b"01")
    for other in (b'"other"', b"W/" + tag, b"Sun, 09 Sep 2001 01:46:40 GMT"):
        assert ask(b"/digits.txt", b"Range: bytes=0-1", b"If-Range: " + other)[::2] == (200, b"0123456789")


def test_an_empty_file(ask, site):
    (site / "empty.txt").touch()
    status, fields, body = ask(b"/empty.txt")
    assert (status, fields[b"content-length"], body) == (200, b"0", b"")
    assert ask(b"/empty.txt", b"Range: bytes=-5")[0] == 416


def test_a_large_file_arrives_whole(ask, site):
    content = os.urandom(500_000)
    (site / "large").write_bytes(content)
    assert ask(b"/large")[::2] == (200, content)


@pytest.mark.parametrize("lines", [[], [b"Range: bytes=1-499999"], [b"Range: bytes=0-9,100-499999"]])
def test_a_file_that_becomes_shorter_on_its_way_is_cut(ask, site, lines):
    (site / "large").write_bytes(bytes(500_000))
    status, fields, body = ask(b"/large", *lines, meanwhile=lambda: os.truncate(site / "large", 100_000))
    assert status in (200, 206)
    assert len(body) < int(fields[b"content-length"])
    assert ask.client.closed
    assert ask(b"/digits.txt")[0] == 200


def test_a_directory_that_is_none_is_a_fault_of_the_configuration(site):
    for wrong in (site / "missing", site / "digits.txt"):
        with pytest.raises(ConfigError, match="is no directory; accepted is one that can be read"):
            Files(str(wrong))
