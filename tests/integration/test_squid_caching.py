"""Squid and the proxy that an import of its file gives: each asks a server as often as the other."""

import http.client
import os
import signal
import sys
import time
from email.utils import formatdate

import pytest

from tests.integration.conftest import DEADLINE, free_port, need, until
from tests.integration.scripted_origin import scripted_origin

FILE = """
http_access allow all
cache_mem 64 MB
maximum_object_size 1 MB
maximum_object_size_in_memory 1 MB
negative_ttl 10 minutes
acl never urlpath_regex ^/never/
cache deny never
refresh_pattern /least/ 60 20% 4320
refresh_pattern /most/ 0 50% 1
refresh_pattern /expire/ 60 20% 4320 override-expire
refresh_pattern /lastmod/ 60 20% 4320 override-lastmod
refresh_pattern /reload/ 60 20% 4320 ignore-reload
refresh_pattern /ims/ 60 20% 4320 reload-into-ims
refresh_pattern -i (/cgi-bin/|\\?) 0 0% 0
refresh_pattern . 0 20% 4320
"""
SQUIDS_OWN = """
http_port 127.0.0.1:{port}
access_log none
cache_log {folder}/cache.log
coredump_dir {folder}
pid_filename none
shutdown_lifetime 0
"""
TAG = {"ETag": '"a"'}
LONG_AGO, NOW = {"Last-Modified": 1_000_000}, {"Last-Modified": 0}
PAST, FUTURE = {"Expires": "0"}, {"Expires": -10_000}
TWICE = [{}, {}]
RELOADED, ASKED_FOR_NOW = [{}, {"Cache-Control": "no-cache"}, {}], [{}, {"Cache-Control": "max-age=0"}, {}]
NONE, ANEW, VALID = "none", "anew", "validated"


def control(text, more=None):
    return {"Cache-Control": text, **(more or {})}


# What a server says below a path, what is asked, and how the server was asked for each but the first.
CASES = [
    ("/least/", {}, TWICE, [NONE]),
    ("/least/", LONG_AGO, TWICE, [NONE]),
    ("/least/", NOW, TWICE, [NONE]),
    ("/least/", PAST, TWICE, [ANEW]),
    ("/least/", control("max-age=0", TAG), TWICE, [VALID]),
    ("/least/", control("no-cache", TAG), TWICE, [VALID]),
    ("/least/", control("private"), TWICE, [ANEW]),
    ("/least/", control("no-store"), TWICE, [ANEW]),
    ("/least/", control("must-revalidate"), TWICE, [NONE]),
    ("/least/", {}, RELOADED, [ANEW, NONE]),
    ("/least/", TAG, ASKED_FOR_NOW, [VALID, NONE]),
    ("/most/", LONG_AGO, TWICE, [NONE]),
    ("/most/", {}, TWICE, [ANEW]),
    ("/expire/", PAST, TWICE, [NONE]),
    ("/expire/", control("max-age=0"), TWICE, [NONE]),
    ("/expire/", control("no-cache", TAG), TWICE, [VALID]),
    ("/expire/", control("no-store"), TWICE, [ANEW]),
    ("/lastmod/", NOW, TWICE, [NONE]),
    ("/lastmod/", PAST, TWICE, [ANEW]),
    ("/reload/", {}, RELOADED, [NONE, NONE]),
    ("/reload/", TAG, ASKED_FOR_NOW, [NONE, NONE]),
    ("/ims/", TAG, RELOADED, [VALID, NONE]),
    ("/ims/", LONG_AGO, RELOADED, [VALID, NONE]),
    ("/ims/", TAG, ASKED_FOR_NOW, [VALID, NONE]),
    ("/x?a=", {}, TWICE, [ANEW]),
    ("/x?a=", LONG_AGO, TWICE, [VALID]),
    ("/x?a=", control("max-age=600"), TWICE, [NONE]),
    ("/", {}, TWICE, [ANEW]),
    ("/", LONG_AGO, TWICE, [NONE]),
    ("/", FUTURE, TWICE, [NONE]),
    ("/", control("max-age=600"), TWICE, [NONE]),
    ("/", control("max-age=600"), RELOADED, [ANEW, NONE]),
    ("/", control("max-age=600"), [{"Authorization": "Basic YTpi"}] * 2, [ANEW]),
    ("/", control("max-age=600", {"Vary": "X-A"}), [{"X-A": "1"}, {"X-A": "1"}, {"X-A": "2"}], [NONE, ANEW]),
    ("/never/", control("max-age=600"), TWICE, [ANEW]),
]
KEPT_FAILURES = [204, 400, 403, 404, 405, 414, 421, 500, 501, 502, 503, 504]


def imported(run_program, file):
    """Our file of Squid's, by which all destinations may be reached."""
    done = run_program(sys.executable, "-m", "txproxy", "import", str(file))
    assert done.returncode == 0, done.stderr
    return done.stdout.replace("# allow_destinations", "allow_destinations")


@pytest.fixture
def both(run_program, processes, open_folder):
    """The ports of both, and their server."""
    squid, ours = free_port(), free_port()
    own = SQUIDS_OWN.format(port=squid, folder=open_folder)
    (open_folder / "squid.conf").write_text(FILE + own + ("cache_effective_user proxy\n" if os.geteuid() == 0 else ""))
    toml = imported(run_program, open_folder / "squid.conf").replace(f":{squid}:", f":{ours}:")
    (open_folder / "proxy.toml").write_text(toml)
    processes(need("squid"), "-N", "-f", str(open_folder / "squid.conf"), port=squid)
    with (open_folder / "log").open("wb") as out:
        words = [sys.executable, "-m", "txproxy", "run", "--config", str(open_folder / "proxy.toml")]
        processes(*words, port=ours, stdout=out, stderr=out)
    with scripted_origin(free_port(), None) as origin:
        yield squid, ours, origin


def says(status, fields):
    """A server that says so, with dates that are so many seconds ago, and what a condition asks for."""
    now = time.time()
    lines = {
        name: formatdate(now - value, usegmt=True) if isinstance(value, int) else value
        for name, value in fields.items()
    }

    def answer(asked):
        for name, condition in (("ETag", "if-none-match"), ("Last-Modified", "if-modified-since")):
            if name in lines and asked.fields.get(condition) == lines[name]:
                return 304, lines, ""
        return status, lines, "hello"

    return answer


def how_asked(port, origin, path, requests, validator):
    """How the server was asked for each request. Squid has a condition where there is no validator: that is anew."""
    found = []
    for fields in requests:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
        connection.request("GET", f"{origin.url}{path}", headers=fields)
        response = connection.getresponse()
        body = response.read()
        assert body == b"hello" or response.status == 204
        connection.close()
        asked = origin.take()
        conditions = {"if-none-match", "if-modified-since"}
        is_condition = bool(asked) and validator and not conditions.isdisjoint(asked[0].fields)
        found.append(NONE if not asked else VALID if is_condition else ANEW)
    return found


def test_what_is_kept_in_a_cache_dir_is_there_after_a_restart(run_program, processes, tmp_path):
    port = free_port()
    lines = f"http_port 127.0.0.1:{port}\ncache_dir ufs {tmp_path}/spool 100 16 256\n"
    (tmp_path / "squid.conf").write_text(FILE + lines)
    # What Squid has there is left alone.
    (tmp_path / "spool" / "00").mkdir(parents=True)
    (tmp_path / "proxy.toml").write_text(imported(run_program, tmp_path / "squid.conf"))
    words = [sys.executable, "-m", "txproxy", "run", "--config", str(tmp_path / "proxy.toml")]
    with (
        scripted_origin(free_port(), says(200, control("max-age=600"))) as origin,
        (tmp_path / "log").open("wb") as out,
    ):
        for expected in ([ANEW, NONE], [NONE, NONE]):
            process = processes(*words, port=port, stdout=out, stderr=out)
            assert how_asked(port, origin, "/x", TWICE, False) == expected
            process.send_signal(signal.SIGTERM)
            until(lambda process=process: process.poll() is not None, "it ends")
    assert sorted(path.name for path in (tmp_path / "spool").iterdir()) == ["00", "txproxy"]


def test_both_ask_a_server_as_often(both):
    squid, ours, origin = both
    wrong = []
    for number, (path, fields, requests, wanted) in enumerate(CASES):
        origin.answer = says(200, fields)
        validator = "ETag" in fields or "Last-Modified" in fields
        for name, port in (("Squid", squid), ("ours", ours)):
            found = how_asked(port, origin, f"{path}{number}", requests, validator)
            if found != [ANEW, *wanted]:
                wrong.append((name, path, fields, requests, found))
    assert wrong == []


def test_both_keep_the_same_failures(both):
    squid, ours, origin = both
    kept = {squid: [], ours: []}
    for status in (204, 302, 303, 307, 400, 403, 404, 405, 410, 414, 418, 421, 451, 500, 501, 502, 503, 504):
        origin.answer = says(status, {})
        for port, found in kept.items():
            if how_asked(port, origin, f"/{status}", TWICE, False) == [ANEW, NONE]:
                found.append(status)
    assert kept == {squid: KEPT_FAILURES, ours: KEPT_FAILURES}
