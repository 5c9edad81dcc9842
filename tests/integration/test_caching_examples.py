"""The files of the documentation about caching: each is run, and does what is said of it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import free_port
from tests.integration.scripted_origin import scripted_origin
from tests.integration.test_tiers import ask, says

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def run(processes, tmp_path):
    """Runs a file of the documentation, with changes; gives its port and the server that it asks."""
    with scripted_origin(free_port(), says()) as origin:

        def run(name, changes=()):
            text = (DOCS / "examples" / name).read_text()
            port = free_port()
            for old, new in (
                *changes,
                ("tcp:8080:", f"tcp:{port}:"),
                ("tcp:3128:", f"tcp:{port}:"),
                (":8001", f":{origin.port}"),
            ):
                text = text.replace(old, new.format(origin=origin.port))
            (tmp_path / name).write_text(text)
            words = [sys.executable, "-m", "txproxy", "run", "--config", str(tmp_path / name)]
            with (tmp_path / "log").open("wb") as out:
                processes(*words, port=port, stdout=out, stderr=subprocess.STDOUT, cwd=tmp_path)
            return port, origin

        yield run


def told(got):
    """What Cache-Status says, without the seconds; empty if there is none."""
    return re.sub(r"; ttl=-?\d+", "", got.fields.get("cache-status", "")).removeprefix("txproxy; ")


def test_a_site(run):
    port, origin = run("caching.toml")
    origin.answer = says(Content_Type="image/png")
    assert [told(ask(port, "/images/logo.png")) for _ in range(2)] == ["fwd=uri-miss; stored", "hit"]
    fresh = re.search(r"ttl=(\d+)", ask(port, "/images/logo.png").fields["cache-status"])
    assert 3000 < int(fresh[1]) <= 3600
    origin.answer = says(Cache_Control="max-age=600")
    for path in ("/account/me", "/cart", "/user/7", "/live/x"):
        assert [told(ask(port, path)) for _ in range(2)] == ["", ""]
    origin.take()
    assert [told(ask(port, f"/news?{query}")) for query in ("id=1&utm_source=a", "fbclid=x&id=1")][1] == "hit"
    assert [one.path for one in origin.take()] == ["/news?id=1"]
    assert told(ask(port, "/api/x?b=1&a=2", accept_version="1")) == "fwd=uri-miss; stored"
    assert told(ask(port, "/api/x?a=2&b=1", accept_version="1")) == "hit"
    assert told(ask(port, "/api/x?a=2&b=1", accept_version="2")) == "fwd=uri-miss; stored"


def test_a_forward_proxy(run):
    # Names are for a parent to look up.
    port, origin = run(
        "caching_forward.toml", [("[[listeners]]\n", '[[listeners]]\nparents = "http://127.0.0.1:{origin}"\n')]
    )

    def get(url, **fields):
        return ask(port, url, **fields)

    origin.answer = says(Cache_Control="max-age=1", Content_Type="application/vnd.debian.binary-package")
    deb = "http://deb.debian.org/debian/pool/main/a/a_1.deb"
    first = get(deb)
    assert told(first) == "fwd=uri-miss; stored" and "ttl=2591" in first.fields["cache-status"]
    assert told(get(deb)) == "hit"
    origin.answer = says(Cache_Control="max-age=600", ETag='"a"')
    index = "http://deb.debian.org/debian/dists/stable/InRelease"
    assert [told(get(index)) for _ in range(2)] == ["fwd=uri-miss; stored", "fwd=stale; fwd-status=304; stored"]
    assert [told(get("http://a.intranet.example/")) for _ in range(2)] == ["", ""]
    assert [told(get("http://other.example/")) for _ in range(2)] == ["fwd=uri-miss; stored", "hit"]
    assert told(get("http://other.example/", cache_control="no-cache")).startswith("fwd=request")


def test_a_purge(run):
    port, origin = run("caching_purge.toml")
    origin.answer = says(Cache_Control="max-age=600")
    assert [told(ask(port, "/news")) for _ in range(2)] == ["fwd=uri-miss; stored", "hit"]
    assert ask(port, "/news", method="PURGE").status == 200
    assert told(ask(port, "/news")).startswith("fwd=uri-miss")
    assert [one.method for one in origin.take()] == ["GET", "GET"]


def test_pages_for_phones(run):
    port, origin = run("caching_devices.toml")
    origin.answer = says(Cache_Control="max-age=600")
    agents = ["(iPhone) Mobile", "(Android 14; Mobile)", "(iPad)", "curl/8"]
    assert [told(ask(port, "/", user_agent=agent)).split(";")[0] for agent in agents] == [
        "fwd=uri-miss", "hit", "fwd=uri-miss", "fwd=uri-miss"
    ]  # fmt: skip
    assert [one.fields["x-ua-device"] for one in origin.take()] == ["mobile", "tablet", "desktop"]


# -- why was this not cached

FRESH = {"Cache_Control": "max-age=600"}
REASONS = {
    "no-store": ({"Cache_Control": "no-store"}, {}),
    "private": ({"Cache_Control": "private, max-age=600"}, {}),
    "Set-Cookie": ({"Set_Cookie": "a=1", **FRESH}, {}),
    "credentials": (FRESH, {"authorization": "Basic YTpi"}),
    "Vary": ({"Vary": "*", **FRESH}, {}),
    "too large": ({"body": "x" * 100_000, **FRESH}, {}),
    "status": ({"status": 206}, {}),
    "status without explicit": ({"status": 302, "ETag": '"a"'}, {}),
    "must-understand": ({"status": 299, "Cache_Control": "must-understand, max-age=600"}, {}),
    "Content-Type is not what the path promises": ({"Content_Type": "text/html"}, {}),
    "neither fresh nor to be validated": ({}, {}),
    "range": (FRESH, {"range": "bytes=0-1"}),
    "not asked for often enough": (FRESH, {}),
    "no-store in the request": (FRESH, {"cache_control": "no-store"}),
}

# Those that one of the rules is for.
PATHS = {
    "not asked for often enough": "/often",
    "no-store in the request": "/asked",
    "Content-Type is not what the path promises": "/typed/a.png",
}


def documented():
    """What the documentation has for ``detail``, each the beginning of it."""
    text = (DOCS / "caching.rst").read_text()
    table = text.partition("``detail`` is why a response was not kept:")[2].partition("A response without the field")[0]
    lines = [line for line in table.splitlines() if line.startswith("``")]
    return {reason.removesuffix(" ...") for line in lines for reason in re.findall("``([^`]+)``", line[:48])}


def test_each_reason_that_is_documented_is_one(run):
    changes = [
        ('size = "64M"\n', 'size = "64M"\nmax_object_size = "64k"\n[[cache_rules]]\npaths = "/often"\nmin_uses = 2\n'
         '[[cache_rules]]\npaths = "/asked"\nrequest_directives = true\n[[cache_rules]]\npaths = "/typed"\nttl = 600\n')
    ]  # fmt: skip
    port, origin = run("caching_purge.toml", changes)
    found = {}
    for number, (reason, (response, request)) in enumerate(REASONS.items()):
        origin.answer = says(**response)
        path = PATHS.get(reason, f"/{number}")
        detail = re.search('detail="(.*)"', told(ask(port, path, **request)))
        found[reason] = detail[1] if detail else ""
    assert all(detail.startswith(reason) for reason, detail in found.items()), found
    assert documented() == set(REASONS)
