"""A response as a short function sees it, and one that it gives."""

import pytest

from txproxy.interfaces import Answer, Headers, Reply, Response, ResponseHead


def response_of(status=200):
    return ResponseHead(status, Headers([(b"A", b"1")]), b"Fine", 5)


def test_one_that_is_left_alone_is_the_same():
    head = response_of()
    response = Response(head)
    assert (response.status, response.headers.get("a")) == (200, "1") and repr(
        response
    ) == "Response(200, Fields(['A']))"
    response.status = 200
    assert response.changed_head() is head


def test_it_is_changed():
    head = response_of()
    response = Response(head)
    response.status = 404
    response.headers.remove("a")
    changed = response.changed_head()
    assert (changed.status, changed.headers.lines, changed.reason, changed.body) == (404, [], b"", 5)
    assert head.status == 200 and head.headers.lines == [b"A: 1"]
    response = Response(head)
    response.headers.set("A", "2")
    assert response.changed_head().reason == b"Fine"


@pytest.mark.parametrize("status", [0, 199, 600, True, "200", 204, 304])
def test_what_is_no_status_of_it_is_refused(status):
    with pytest.raises(ValueError, match=r"status of an answer|has no body"):
        Response(response_of()).status = status


def test_replies():
    assert Reply(403, "no").answer == Answer(403, (b"Content-Type: text/plain; charset=utf-8",), b"no")
    assert Reply(200, "<p>ä").answer.lines == (b"Content-Type: text/html; charset=utf-8",)
    assert Reply(200, b"\xff", {"Content-Type": "x/y"}).answer == Answer(200, (b"Content-Type: x/y",), b"\xff")
    assert Reply(302, headers=[("Location", "/a"), ("Set-Cookie", "b")]).answer == Answer(
        302, (b"Location: /a", b"Set-Cookie: b")
    )
    assert repr(Reply(204)) == "Reply(204)"
    for wrong in (lambda: Reply(99), lambda: Reply(204, "a"), lambda: Reply(200, "", {"Host": "a"})):
        with pytest.raises(ValueError):
            wrong()
