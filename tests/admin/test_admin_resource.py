"""Requests to the admin API: which are refused, and how what is done is told."""

import pytest
from twisted.internet.defer import Deferred

from txproxy.admin.api_call import ApiFault, Text
from txproxy.admin.api_paths import Verb

TOKEN = b"0123456789abcdef"
BEARER = "Authorization: Bearer 0123456789abcdef"


def echo(call):
    return {"names": list(call.names), "query": dict(call.query), "body": dict(call.body)}


def fails(call):
    raise RuntimeError("secret of ours")


def refuses(call):
    raise ApiFault(409, "not now", until=5)


VERBS = [
    Verb("GET", "/healthz", lambda call: {"status": "ok"}, open=True),
    Verb("GET", "/api/things", echo, query=("prefix", "limit")),
    Verb("POST", "/api/things/{name}/parts/{part}", echo, body=("weight", "soft")),
    Verb("GET", "/api/fails", fails),
    Verb("GET", "/api/refuses", refuses),
    Verb("GET", "/text", lambda call: Text("text/plain; charset=utf-8", "häuser\n")),
]


def test_what_is_asked_is_answered_as_json(serve):
    answer = serve(VERBS).ask("GET", "/api/things?prefix=http%3A%2F%2Fa%2F&limit=")
    assert answer.status == 200
    assert answer.json == {"names": [], "query": {"prefix": "http://a/", "limit": ""}, "body": {}}
    assert answer.fields["content-type"] == "application/json"
    assert answer.fields["cache-control"] == "no-store"
    assert "server" not in answer.fields and b"twisted" not in repr(answer).lower().encode()


def test_names_in_a_path_are_decoded_each_by_itself(serve):
    client = serve(VERBS)
    answer = client.ask("POST", "/api/things/a%2Fb/parts/http:%2F%2Fc:1", body={"weight": 3})
    assert answer.json == {"names": ["a/b", "http://c:1"], "query": {}, "body": {"weight": 3}}
    assert client.ask("POST", "/api/things//parts/x", body={}).status == 404


def test_text_is_text(serve):
    answer = serve(VERBS).ask("GET", "/text")
    assert answer.body.decode() == "häuser\n" and answer.fields["content-type"].startswith("text/plain")


def test_head_has_the_length_and_no_body(serve):
    client = serve(VERBS)
    client.connection.send(b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head, _, body = client.connection.take().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ") and b"Content-Length: 17" in head and body == b""


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/api/nothing", 404, "there is no '/api/nothing' here"),
        ("GET", "/api/things/", 404, "there is no"),
        ("GET", "http://localhost:9090/api/things", 404, "there is no"),
        ("DELETE", "/api/things", 405, "accepted: GET, HEAD"),
        ("GET", "/api/things/a/parts/b", 405, "accepted: POST"),
        ("GET", "/api/things?limits=1", 400, "'limits' is no parameter of the query (is limit meant?)"),
        ("GET", "/api/things?limit=1&limit=2", 400, "limit: it is there twice"),
        ("GET", "/api/things?limit=%ff", 400, "the query cannot be read"),
        ("GET", "/healthz?x=1", 400, "'x' is no parameter of the query; accepted is none"),
    ],
)
def test_what_is_asked_wrongly_is_told_of(serve, method, path, status, said):
    answer = serve(VERBS).ask(method, path)
    assert answer.status == status and said in answer.json["error"]
    assert ("allow" in answer.fields) is (status == 405)


@pytest.mark.parametrize(
    ("body", "lines", "status", "said"),
    [
        (b"{}", ("Content-Type: text/plain",), 415, "accepted is Content-Type: application/json"),
        (b"{}", (), 415, "no JSON"),
        (b"{", ("Content-Type: application/json",), 400, "the body cannot be read"),
        (b"\xff", ("Content-Type: application/json",), 400, "the body cannot be read"),
        (b"[" * 100_000, ("Content-Type: application/json",), 400, "the body cannot be read"),
        (b"[1]", ("Content-Type: application/json",), 400, "[1] is no table"),
        (b'{"wait": 1}', ("Content-Type: application/json; charset=utf-8",), 400, "'wait' is no key of the body"),
    ],
)
def test_a_body_is_a_table_of_json(serve, body, lines, status, said):
    answer = serve(VERBS).ask("POST", "/api/things/a/parts/b", *lines, body=body)
    assert answer.status == status and said in answer.json["error"]


def test_where_no_body_is_wanted_none_is_taken(serve):
    answer = serve(VERBS).ask("GET", "/healthz", body=b"{}")
    assert answer.status == 400 and "accepted is none" in answer.json["error"]


def test_a_refusal_has_its_status_and_a_fault_of_ours_tells_nothing(serve, caplog):
    from twisted.logger import capturedLogs

    client = serve(VERBS)
    answer = client.ask("GET", "/api/refuses")
    assert (answer.status, answer.json) == (409, {"error": "not now", "until": 5})
    with capturedLogs() as events:
        answer = client.ask("GET", "/api/fails")
    assert answer.status == 500 and b"secret" not in answer.body
    assert [event["log_failure"].getErrorMessage() for event in events] == ["secret of ours"]


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("Host: \udcff",), 403),
        (("Origin: http://\udcff",), 403),
        (("Accept: \udcff",), 200),
        (("Content-Type: \udcff",), 200),
        (("Cookie: \udcff",), 200),
    ],
)
def test_fields_may_have_any_bytes(serve, lines, status):
    assert serve(VERBS).ask("GET", "/healthz", *lines).status == status


def test_the_type_of_a_body_may_be_any_bytes(serve):
    client = serve([Verb("POST", "/x", lambda call: {}, body=("a",))])
    assert client.ask("POST", "/x", "Content-Type: \udcff", body=b"{}").status == 415


def test_without_the_token_only_what_is_open_is_told(serve):
    client = serve(VERBS, token=TOKEN)
    assert client.ask("GET", "/healthz").status == 200
    for path in ("/api/things", "/api/nothing", "/"):
        for wrong in (
            (),
            ("Authorization: Bearer 0123456789abcdeF",),
            ("Authorization: Basic 0123456789abcdef",),
            ("Authorization: Bearer",),
            ("Authorization: Bearer \udcff",),
            (BEARER, BEARER),
        ):
            answer = client.ask("GET", path, *wrong)
            assert answer.status == 401 and answer.fields["www-authenticate"] == 'bearer realm="txproxy"'
    assert client.ask("GET", "/api/things", BEARER).status == 200
    assert client.ask("GET", "/api/things", BEARER.replace("Bearer", "bearer")).status == 200
    assert client.ask("GET", "/api/nothing", BEARER).status == 404


def test_what_takes_time_is_answered_when_it_is_known_and_ends_when_nobody_waits(serve, clock):
    waits = []

    async def handle(call):
        waits.append(Deferred(lambda one: waits.remove(one)))
        return {"found": await waits[-1]}

    client = serve([Verb("GET", "/slow", handle)])
    assert client.ask("GET", "/slow") is None
    waits[0].callback(3)
    assert b'{"found": 3}' in client.connection.take()
    waits.clear()
    assert client.ask("GET", "/slow") is None
    client.connection.drop()
    assert waits == [], "it was cancelled"


def test_what_takes_time_may_be_refused(serve):
    async def handle(call):
        raise ApiFault(409, "no")

    assert serve([Verb("GET", "/slow", handle)]).ask("GET", "/slow").status == 409
