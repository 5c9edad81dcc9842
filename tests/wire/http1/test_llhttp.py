"""The cases of llhttp's own tests (see tests/corpus/README.md), and each place where our verdict is another."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from tests.wire.http1.corpus import FOLDER, Reading, client_codec, single_bytes
from txproxy.wire.http1.client import ClientCodec
from txproxy.wire.http1.server import ServerCodec

CASES: list[dict[str, Any]] = json.loads((FOLDER / "llhttp.json").read_text("utf-8"))

# Why ours differs: "refused" and "accepted" say what we do, and llhttp does not, in the mode of the case.
FOLD = "refused: RFC 9112 5.2, a folded field line"
BARE = "refused: RFC 9112 2.2, a bare CR or LF"
FRAGMENT = "refused: RFC 9110 4.2.5, a target has no fragment"
VERSION = "refused: RFC 9112 2.3, neither HTTP/1.0 nor HTTP/1.1"
CODING = "refused: RFC 9112 6.1, not exactly one final chunked (llhttp reads until close)"
CONTROL = "refused: RFC 9110 5.5, a control character in a value"
EMPTY_LINES = "refused: RFC 9112 2.2 has a server ignore one empty line, and a client none"
SURPLUS = "refused: RFC 9112 9.3, bytes after a response to which no request belongs"
ASTERISK = "refused: RFC 9112 3.2.4, the asterisk is for OPTIONS"
USERINFO = "refused: RFC 9110 4.2.4, user information in a target"
BOTH = "refused: RFC 9112 6.1, both Content-Length and Transfer-Encoding"
CHUNK = "refused: RFC 9112 7.1, a malformed chunk"
LATER = "accepted: what is wrong is in a head that has not ended, and is refused when it does"
CLOSED = "accepted: RFC 9112 9.6, the last message is well formed, and nothing after it is read"
METHOD = "accepted: RFC 9110 9.1, a method is any token; what it does is the origin's business"
TUNNEL = "accepted: RFC 9110 7.8 and 9.3.6, whether there will be a tunnel is not known yet"
LENGTH = "waits: RFC 9112 6.3 rule 6, the length counts, and the body has not come (llhttp was told to skip it)"

DIFFERENCES: dict[str, str] = {
    "llhttp/request-connection-3": CLOSED,
    "llhttp/request-connection-9": CLOSED,
    "llhttp/request-connection-10": CLOSED,
    "llhttp/request-connection-5": EMPTY_LINES,
    "llhttp/request-lenient-headers-2": CONTROL,
    "llhttp/response-connection-17": EMPTY_LINES,
    "llhttp/response-sample-20": EMPTY_LINES,
    "llhttp/request-connection-14": TUNNEL,
    "llhttp/request-connection-18": TUNNEL,
    "llhttp/request-connection-19": TUNNEL,
    "llhttp/request-connection-20": TUNNEL,
    "llhttp/request-connection-21": TUNNEL,
    "llhttp/request-method-2": TUNNEL,
    "llhttp/request-method-3": TUNNEL,
    "llhttp/request-uri-9": TUNNEL,
    "llhttp/request-content-length-3": LATER,
    "llhttp/request-content-length-4": LATER,
    "llhttp/request-invalid-19": LATER,
    "llhttp/request-invalid-20": LATER,
    "llhttp/request-lenient-header-value-relaxed-5": LATER,
    "llhttp/response-invalid-12": LATER,
    "llhttp/request-content-length-8": BOTH,
    "llhttp/request-content-length-16": LENGTH,
    "llhttp/response-content-length-3": LENGTH,
    "llhttp/response-connection-18": LENGTH,
    "llhttp/request-content-length-18": BARE,
    "llhttp/request-invalid-22": BARE,
    "llhttp/request-lenient-headers-4": BARE,
    "llhttp/request-sample-14": BARE,
    "llhttp/request-transfer-encoding-27": BARE,
    "llhttp/response-invalid-9": BARE,
    "llhttp/response-invalid-17": BARE,
    "llhttp/response-invalid-19": BARE,
    "llhttp/response-sample-12": BARE,
    "llhttp/request-invalid-4": METHOD,
    "llhttp/request-invalid-14": METHOD,
    "llhttp/request-invalid-24": FOLD,
    "llhttp/request-sample-11": FOLD,
    "llhttp/request-sample-18": FOLD,
    "llhttp/response-transfer-encoding-10": FOLD,
    "llhttp/request-lenient-header-value-relaxed-1": CONTROL,
    "llhttp/request-lenient-headers-1": CONTROL,
    "llhttp/request-lenient-version-1": VERSION,
    "llhttp/request-method-12": VERSION,
    "llhttp/request-method-13": VERSION,
    "llhttp/request-method-14": VERSION,
    "llhttp/request-sample-10": VERSION,
    "llhttp/response-lenient-version-1": VERSION,
    "llhttp/response-sample-2": VERSION,
    "llhttp/response-sample-3": VERSION,
    "llhttp/response-sample-18": VERSION,
    "llhttp/request-method-5": ASTERISK,
    "llhttp/request-transfer-encoding-14": FRAGMENT,
    "llhttp/request-transfer-encoding-18": FRAGMENT,
    "llhttp/request-transfer-encoding-19": FRAGMENT,
    "llhttp/request-transfer-encoding-20": FRAGMENT,
    "llhttp/request-transfer-encoding-21": FRAGMENT,
    "llhttp/request-uri-8": FRAGMENT,
    "llhttp/request-transfer-encoding-29": CHUNK,
    "llhttp/request-transfer-encoding-31": CHUNK,
    "llhttp/request-uri-10": USERINFO,
    "llhttp/response-connection-3": SURPLUS,
    "llhttp/response-connection-5": SURPLUS,
    "llhttp/response-connection-7": SURPLUS,
    "llhttp/response-connection-9": SURPLUS,
    "llhttp/response-connection-15": SURPLUS,
    "llhttp/response-connection-16": SURPLUS,
    "llhttp/response-pipelining-1": SURPLUS,
    "llhttp/response-transfer-encoding-2": CODING,
    "llhttp/response-transfer-encoding-3": CODING,
    "llhttp/response-transfer-encoding-4": CODING,
}


def read(case: dict[str, Any], *, in_pieces: bool = False) -> Reading:
    """Run a case. Requests of HTTP/1.1 without Host get one, or RFC 9112 section 3.2 would end most of them."""
    data = base64.b64decode(case["raw"])
    if case["type"].startswith("request"):
        codec: ServerCodec | ClientCodec = ServerCodec()
        if not re.search(rb"(?i)\r\nhost *:", data):
            data = re.sub(rb"( HTTP/1\.1 *\r\n)", rb"\1Host: " + _host(data) + rb"\r\n", data)
    else:
        codec = client_codec()
    return Reading(codec, single_bytes(data) if in_pieces else [data])


def _host(data: bytes) -> bytes:
    absolute = re.match(rb"\S+ http://(?:[^/? ]*@)?([^/? ]+)", data)
    return absolute[1] if absolute else b"a"


def by_id(case: dict[str, Any]) -> str:
    return str(case["id"])


def test_all_the_cases_are_there() -> None:
    assert len(CASES) == 251
    assert set(DIFFERENCES) <= {case["id"] for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=by_id)
def test_our_verdict_is_llhttps_or_the_table_says_why_not(case: dict[str, Any]) -> None:
    why = DIFFERENCES.get(case["id"], "")
    reading = read(case)
    if why.startswith("refused"):
        assert case["error"] is None, "llhttp refuses it as well"
        assert reading.error is not None, "no difference"
    elif why.startswith("accepted"):
        assert case["error"] is not None, "llhttp accepts it as well"
        assert reading.error is None, "no difference"
    elif why.startswith("waits"):
        assert reading.error is None
        assert reading.messages < case["messages"], "no difference"
    else:
        assert (reading.error is None) == (case["error"] is None), (case["title"], case["error"], reading.error)
        if reading.error is None:
            assert reading.messages >= case["messages"]


def test_byte_by_byte_is_the_same() -> None:
    assert [case["id"] for case in CASES if read(case, in_pieces=True).verdict != read(case).verdict] == []


WITHOUT_HOST = [
    case
    for case in CASES
    if re.match(rb"(?:\r\n)?[A-Z]+ [^ #]+ HTTP/1\.1\r\n(?:[A-Za-z-]+: [!-~ ]*\r\n)*\r\n", base64.b64decode(case["raw"]))
    and not re.search(rb"(?i)\nhost:", base64.b64decode(case["raw"]))
]


@pytest.mark.parametrize("case", WITHOUT_HOST, ids=by_id)
def test_a_request_of_http_1_1_without_host_is_refused(case: dict[str, Any]) -> None:
    error = Reading(ServerCodec(), [base64.b64decode(case["raw"])]).error
    assert error is not None
    assert (error.status, error.detail) == (400, "Host is missing")


@pytest.mark.parametrize("name", [name for name, why in DIFFERENCES.items() if why == LATER])
def test_what_is_incomplete_is_refused_when_it_ends(name: str) -> None:
    case = next(case for case in CASES if case["id"] == name)
    data = base64.b64decode(case["raw"])
    codec = ServerCodec() if case["type"].startswith("request") else client_codec()
    error = Reading(codec, [data, b"\r\n\r\n"]).error
    assert error is not None
    assert error.status == (400 if case["type"].startswith("request") else 502)
