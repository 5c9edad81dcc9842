"""Parts of responses: what is kept of them, what is answered with them, and what the origin is asked for the rest."""

import pytest

from tests.proxy.caching.caching_proxy import date, get, got
from txproxy.cache.disk.disk_store import DiskStore
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.purging.mark import Kind
from txproxy.cache.tiered_store import TieredStore

WHOLE = "0123456789"
FRESH = {"cache_control": "max-age=60", "etag": '"1"'}
MB = 1 << 20


@pytest.fixture(params=["memory", "disk"])
def proxy(request, make, tmp_path):
    if request.param == "memory":
        return make()
    disk = DiskStore(str(tmp_path / "cache"), 32 * MB)
    request.addfinalizer(disk.close)
    return make(store=TieredStore(MemoryStore(8 * MB), disk))


def part(proxy, start, stop, whole=WHOLE, **fields):
    """A 206 of the origin's with the bytes from ``start`` up to ``stop``."""
    told = {"content_range": f"bytes {start}-{stop - 1}/{len(whole)}", **FRESH, **fields}
    told = {name: value for name, value in told.items() if value is not None}
    return proxy.response(whole[start:stop], "206 Partial Content", **told)


def store(proxy, start, stop, **fields):
    """Have a part stored."""
    answer, asked = proxy.ask(get(range=f"bytes={start}-{stop - 1}"), part(proxy, start, stop, **fields))
    assert answer.status == 206 and asked is not None
    return answer


def cut(proxy, at, whole=WHOLE, request=None, **fields):
    """Have a client ask, and the origin's response cut after so many bytes of the body."""
    (client,) = proxy.herd(request or get())
    origin, _ = proxy.question()
    origin.send(proxy.response(whole[:at], length=len(whole), **{**FRESH, **fields}))
    origin.drop()
    proxy.clock.advance(0)
    (answer,) = got([client])
    assert client.closed and answer.body == whole[:at].encode()


def asked_for(question):
    """What a question says of parts."""
    lines = question.split(b"\r\n")
    return [line for line in lines if line.lower().startswith((b"range", b"if-"))]


# -- a 206 is kept


def test_a_part_is_stored_and_answers_for_what_is_in_it(proxy):
    answer = store(proxy, 2, 7)
    assert answer.told == "txproxy; fwd=uri-miss; ttl=60; stored"
    assert answer.fields["content-range"] == b"bytes 2-6/10" and "age" not in answer.fields
    for asked, body in [("2-6", b"23456"), ("3-4", b"34"), ("6-6", b"6")]:
        hit, question = proxy.ask(get(range=f"bytes={asked}"))
        assert (hit.status, hit.body, question) == (206, body, None)
        assert hit.fields["content-range"] == b"bytes %b/10" % asked.encode()
        assert hit.told.startswith("txproxy; hit") and hit.fields["age"] == b"0"


@pytest.mark.parametrize("asked", ["bytes=4-8", "bytes=-6", "bytes=4-"])
def test_a_part_is_known_by_what_the_origin_says_of_it(proxy, asked):
    stop = 9 if asked.endswith("8") else 10
    answer, question = proxy.ask(get(range=asked), part(proxy, 4, stop))
    assert asked_for(question) == [b"Range: " + asked.encode()] and answer.body == WHOLE[4:stop].encode()
    assert proxy.ask(get(range=asked))[1] is None
    assert proxy.ask(get(range="bytes=5-7"))[0].body == b"567"


def test_parts_that_are_together_all_there_is_are_the_whole(proxy):
    store(proxy, 0, 4)
    store(proxy, 7, 10)
    store(proxy, 4, 7)
    whole, question = proxy.ask(get())
    assert (whole.status, whole.body, question) == (200, WHOLE.encode(), None)
    assert "content-range" not in whole.fields and whole.fields["content-length"] == b"10"
    assert proxy.ask(get(method="HEAD"))[1] is None
    assert proxy.ask(get(range="bytes=0-1,8-9"))[1] is None


def test_a_part_that_is_all_there_is_is_the_whole(proxy):
    store(proxy, 0, 10)
    assert proxy.ask(get())[0].body == WHOLE.encode()


def test_several_parts_are_answered_from_what_is_there_or_by_the_origin(proxy):
    store(proxy, 0, 6)
    several, question = proxy.ask(get(range="bytes=0-1,4-5"))
    assert question is None and several.body.count(b"Content-Range: bytes ") == 2
    passed, question = proxy.ask(get(range="bytes=0-1,8-9"), proxy.response("either", "206 Partial Content"))
    assert asked_for(question) == [b"range: bytes=0-1,8-9"] and passed.told == 'txproxy; fwd=partial; detail="range"'
    passed, question = proxy.ask(get(range="bytes=99-"), proxy.response("", "416 No", content_range="bytes */10"))
    assert asked_for(question) == [b"range: bytes=99-"] and passed.status == 416
    assert proxy.ask(get(range="bytes=0-5"))[1] is None


@pytest.mark.parametrize(
    "odd",
    [
        {"etag": None},
        {"etag": 'W/"1"'},
        {"etag": "1"},
        {"etag": 'W/"1"', "last_modified": date(-100_000)},
        {"etag": None, "last_modified": date(-59)},
        {"content_range": None},
        {"content_range": "bytes 2-6/*"},
        {"content_range": "bytes 2-7/10"},
        {"content_range": "bytes 6-2/10"},
        {"content_range": "bytes 2-6/6"},
        {"content_range": "bytes 2-6/10, bytes 2-6/10"},
        {"content_range": "lines 2-6/10"},
        {"content_type": "multipart/byteranges; boundary=x"},
        {"cache_control": "no-store"},
        {"cache_control": "private"},
        {"set_cookie": "a=b"},
        {"vary": "*"},
    ],
)
def test_what_is_no_such_part_is_passed_on_and_not_stored(proxy, odd):
    answer = store(proxy, 2, 7, **odd)
    assert answer.body == b"23456" and "fwd=uri-miss; detail=" in answer.told
    # It goes as it is, until it is known to be otherwise.
    again, question = proxy.ask(get(range="bytes=2-6"), part(proxy, 2, 7))
    assert question is not None and again.told.startswith("txproxy; fwd=bypass")
    whole, question = proxy.ask(get(), proxy.response(WHOLE, **FRESH))
    assert asked_for(question) == [] and whole.told.endswith("; stored")
    assert proxy.ask(get(range="bytes=2-6"))[1] is None


@pytest.mark.parametrize(
    "answer",
    [("200 OK", {}), ("404 Not Found", {}), ("416 No", {"content_range": "bytes */10"}), ("304 Not Modified", {})],
)
def test_what_comes_in_place_of_a_part_is_passed_on_and_not_stored(proxy, answer):
    status, fields = answer
    passed, _ = proxy.ask(get(range="bytes=2-6"), proxy.response(WHOLE, status, **FRESH, **fields))
    # Nobody has asked whether it was modified.
    assert str(passed.status) == status[:3].replace("304", "502")
    # What an odd range has brought about is not for others.
    whole, question = proxy.ask(get(), proxy.response(WHOLE, **FRESH))
    assert question is not None and whole.status == 200 and whole.told.endswith("stored")


def test_credentials_count_for_parts_as_for_the_whole(proxy):
    request = get(range="bytes=0-4", authorization="Basic YTpi")
    answer, _ = proxy.ask(request, part(proxy, 0, 5))
    assert 'detail="credentials"' in answer.told
    answer, _ = proxy.ask(request, part(proxy, 0, 5, cache_control="public, max-age=60"))
    assert answer.told.endswith("stored")
    assert proxy.ask(get(range="bytes=0-4"))[1] is None


def test_a_part_is_of_one_variant(proxy):
    vary = {"vary": "accept-language"}
    proxy.ask(get(range="bytes=0-4", accept_language="de"), part(proxy, 0, 5, **vary))
    other, question = proxy.ask(
        get(range="bytes=0-4", accept_language="en"), part(proxy, 0, 5, WHOLE[::-1], etag='"en"', **vary)
    )
    assert question is not None and other.body == b"98765"
    assert proxy.ask(get(range="bytes=1-2", accept_language="de"))[0].body == b"12"
    assert proxy.ask(get(range="bytes=1-2", accept_language="en"))[0].body == b"87"
    rest, question = proxy.ask(get(accept_language="en"), part(proxy, 5, 10, WHOLE[::-1], etag='"en"', **vary))
    assert asked_for(question) == [b"Range: bytes=5-", b'If-Range: "en"'] and rest.body == WHOLE[::-1].encode()


# -- what is cut is kept


@pytest.mark.parametrize("at", range(1, 10))
def test_what_was_cut_is_completed(proxy, at):
    cut(proxy, at)
    assert proxy.ask(get(range=f"bytes=0-{at - 1}"))[0].body == WHOLE[:at].encode()
    head, question = proxy.ask(get(method="HEAD"), proxy.response("", length=10, **FRESH))
    assert question is not None and head.told == "txproxy; fwd=partial"
    whole, question = proxy.ask(get(), part(proxy, at, 10))
    assert asked_for(question) == [b"Range: bytes=%d-" % at, b'If-Range: "1"']
    assert (whole.status, whole.body) == (200, WHOLE.encode()) and whole.fields["content-length"] == b"10"
    assert whole.told == "txproxy; fwd=partial; ttl=60; stored"
    assert proxy.ask(get())[0].told == "txproxy; hit; ttl=60"


def test_what_was_cut_is_completed_under_a_date_that_is_long_past(proxy):
    changed = {"etag": None, "last_modified": date(-3600)}
    told = {name: value for name, value in {**FRESH, **changed}.items() if value is not None}
    proxy.herd(get())
    origin, _ = proxy.question()
    origin.send(proxy.response(WHOLE[:4], length=10, **told))
    origin.drop()
    proxy.clock.advance(0)
    whole, question = proxy.ask(get(), part(proxy, 4, 10, **changed))
    assert asked_for(question) == [b"Range: bytes=4-", b"If-Range: " + date(-3600).encode()]
    assert (whole.status, whole.body) == (200, WHOLE.encode())
    assert proxy.ask(get())[0].told == "txproxy; hit; ttl=60"


@pytest.mark.parametrize("odd", [{"last_modified": date(-3599)}, {"last_modified": None}, {"etag": '"1"'}])
def test_parts_with_other_dates_are_not_put_together(proxy, odd):
    changed = {"etag": None, "last_modified": date(-3600)}
    store(proxy, 0, 4, **changed)
    (client,) = proxy.herd(get())
    origin, question = proxy.question()
    assert asked_for(question) == [b"Range: bytes=4-", b"If-Range: " + date(-3600).encode()]
    origin.send(part(proxy, 4, 10, **{**changed, **odd}))
    proxy.clock.advance(0)
    again, question = proxy.question()
    assert asked_for(question) == []
    again.send(proxy.response("abcdefghij", **FRESH))
    assert got([client])[0].body == b"abcdefghij"


def test_a_range_is_completed_alone(proxy):
    cut(proxy, 3)
    answer, question = proxy.ask(get(range="bytes=1-5"), part(proxy, 3, 6))
    assert asked_for(question) == [b"Range: bytes=3-5", b'If-Range: "1"']
    assert (answer.status, answer.body, answer.fields["content-range"]) == (206, b"12345", b"bytes 1-5/10")
    whole, question = proxy.ask(get(), part(proxy, 6, 10))
    assert asked_for(question)[0] == b"Range: bytes=6-" and whole.body == WHOLE.encode()


def test_what_is_missing_in_several_places_is_asked_for_at_once(proxy):
    for start in (2, 5, 8):
        store(proxy, start, start + 1)
    answer, question = proxy.ask(get(range="bytes=2-8"), part(proxy, 3, 8))
    assert asked_for(question)[0] == b"Range: bytes=3-7" and answer.body == b"2345678"
    assert proxy.ask(get(range="bytes=3-8"))[1] is None


@pytest.mark.parametrize(
    "fields",
    [
        {"etag": 'W/"1"'},
        {"etag": 'W/"1"', "last_modified": date(-3600)},
        {"etag": None},
        {"etag": None, "last_modified": date(-59)},
        {"cache_control": "no-store"},
    ],
)
def test_what_was_cut_and_cannot_be_completed_is_not_kept(proxy, fields):
    proxy.herd(get())
    origin, _ = proxy.question()
    told = {name: value for name, value in {**FRESH, **fields}.items() if value is not None}
    origin.send(proxy.response(WHOLE[:5], length=10, **told))
    origin.drop()
    proxy.clock.advance(0)
    whole, question = proxy.ask(get(), proxy.response(WHOLE, **FRESH))
    assert asked_for(question) == [] and whole.body == WHOLE.encode()


def test_what_was_cut_in_chunks_is_not_kept(proxy):
    proxy.herd(get())
    origin, _ = proxy.question()
    origin.send(
        b'HTTP/1.1 200 OK\r\nETag: "1"\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234'
    )
    origin.drop()
    proxy.clock.advance(0)
    assert asked_for(proxy.ask(get(), proxy.response(WHOLE, **FRESH))[1]) == []


def test_a_rest_that_is_cut_is_kept_as_well(proxy):
    cut(proxy, 3)
    (client,) = proxy.herd(get())
    origin, question = proxy.question()
    assert asked_for(question)[0] == b"Range: bytes=3-"
    origin.send(part(proxy, 3, 10)[:-5])
    origin.drop()
    proxy.clock.advance(0)
    assert got([client])[0].body == b"01234" and client.closed
    whole, question = proxy.ask(get(), part(proxy, 5, 10))
    assert asked_for(question)[0] == b"Range: bytes=5-" and whole.body == WHOLE.encode()


def test_what_nobody_waits_for_any_more_is_kept_as_far_as_it_has_come(make):
    proxy = make(size=64 << 20)
    size = 5 << 20
    (client,) = proxy.herd(get())
    origin, _ = proxy.question()
    origin.send(proxy.response("x" * 1000, length=size, **FRESH))
    client.drop()
    proxy.clock.advance(0)
    assert origin.closed and not proxy.cache.fills
    assert proxy.ask(get(range="bytes=0-999"))[1] is None


# -- what is asked for is not what comes


@pytest.mark.parametrize("at", [1, 5, 9])
@pytest.mark.parametrize(
    "odd",
    [
        {"etag": '"2"'},
        {"etag": 'W/"1"'},
        {"etag": None},
        {"content_range": "bytes {at}-9/11"},
        {"content_range": "bytes {at}-9/*"},
        {"content_range": "bytes 0-{at}/10"},
        {"content_range": None},
        {"content_type": "multipart/byteranges; boundary=x"},
        {"cache_control": "no-store"},
        {"status": "416 Range Not Satisfiable"},
        {"status": "412 Precondition Failed"},
        {"status": "304 Not Modified"},
    ],
)
def test_what_cannot_be_combined_goes_and_the_whole_is_asked_for(proxy, at, odd):
    cut(proxy, at)
    odd = {name: value and value.format(at=at) for name, value in odd.items()}
    status = odd.pop("status", None)
    (client,) = proxy.herd(get())
    origin, _ = proxy.question()
    origin.send(part(proxy, at, 10, **odd) if status is None else proxy.response("", status, **FRESH))
    proxy.clock.advance(0)
    (again, question), *more = proxy.questions()
    assert not more and asked_for(question) == []
    again.send(proxy.response("abcdefghij", **{**FRESH, "etag": '"2"'}))
    (answer,) = got([client])
    assert (answer.status, answer.body, answer.fields["etag"]) == (200, b"abcdefghij", b'"2"')
    assert proxy.ask(get(range="bytes=0-1"))[0].body == b"ab"


@pytest.mark.parametrize(("start", "stop"), [(4, 10), (6, 10), (5, 9), (0, 10), (5, 6)])
def test_another_part_than_was_asked_for_is_not_taken(proxy, start, stop):
    cut(proxy, 5)
    (client,) = proxy.herd(get())
    origin, _ = proxy.question()
    origin.send(part(proxy, start, stop))
    proxy.clock.advance(0)
    (again, question), *_ = proxy.questions()
    assert asked_for(question) == []
    again.send(proxy.response(WHOLE, **FRESH))
    assert got([client])[0].body == WHOLE.encode()


def test_a_longer_part_than_was_asked_for_is_kept(proxy):
    cut(proxy, 3)
    answer, question = proxy.ask(get(range="bytes=0-4"), part(proxy, 3, 8))
    assert asked_for(question)[0] == b"Range: bytes=3-4" and answer.body == b"01234"
    assert proxy.ask(get(range="bytes=2-7"))[1] is None


@pytest.mark.parametrize("asked", [{}, {"range": "bytes=1-7"}])
@pytest.mark.parametrize("other", ["abcdefghij", "abc", "abcdefghijklmno"])
def test_a_whole_takes_the_place_of_parts(proxy, asked, other):
    cut(proxy, 5)
    answer, _ = proxy.ask(get(**asked), proxy.response(other, **{**FRESH, "etag": '"2"'}))
    assert answer.body == (other[1:8] if asked else other).encode()
    whole, question = proxy.ask(get())
    assert question is None and whole.body == other.encode() and whole.fields["etag"] == b'"2"'


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oh", "503 No"])
def test_a_failure_is_passed_on_and_tells_whether_there_is_something(proxy, status):
    cut(proxy, 5)
    answer, _ = proxy.ask(get(), proxy.response("no", status))
    assert (str(answer.status), answer.body) == (status[:3], b"no")
    _, question = proxy.ask(get(range="bytes=0-1"), part(proxy, 0, 2))
    assert (question is None) is status.startswith("5")


def test_a_rest_that_ends_too_early_is_a_cut(proxy):
    cut(proxy, 5)
    (client,) = proxy.herd(get())
    origin, _ = proxy.question()
    head = part(proxy, 5, 10).partition(b"\r\n\r\n")[0].replace(b"Content-Length: 5", b"Transfer-Encoding: chunked")
    origin.send(head + b"\r\n\r\n3\r\n567\r\n0\r\n\r\n")
    proxy.clock.advance(0)
    assert got([client])[0].body == b"01234567" and client.closed
    assert proxy.ask(get(), part(proxy, 5, 10))[0].body == WHOLE.encode()


# -- what holds for wholes holds for parts


def test_parts_are_validated_and_freshened(proxy):
    store(proxy, 0, 6)
    proxy.pass_time(61)
    answer, question = proxy.ask(get(range="bytes=2-3"), proxy.response("", "304 Not Modified", **FRESH))
    assert asked_for(question) == [b'If-None-Match: "1"'] and (answer.status, answer.body) == (206, b"23")
    hit, question = proxy.ask(get(range="bytes=0-5"))
    assert question is None and hit.told == "txproxy; hit; ttl=60"


def test_what_completes_parts_validates_them(proxy):
    store(proxy, 0, 6)
    proxy.pass_time(61)
    answer, question = proxy.ask(get(), part(proxy, 6, 10, x_new="yes"))
    assert asked_for(question) == [b"Range: bytes=6-", b'If-Range: "1"'] and answer.body == WHOLE.encode()
    hit, question = proxy.ask(get())
    assert question is None and hit.fields["x-new"] == b"yes" and hit.told == "txproxy; hit; ttl=60"


def test_who_has_it_is_told_so_by_the_origin(proxy):
    store(proxy, 0, 6)
    answer, question = proxy.ask(get(if_none_match='"1"'), proxy.response("", "304 Not Modified", **FRESH))
    assert asked_for(question) == [b'If-None-Match: "1"'] and answer.status == 304
    answer, question = proxy.ask(get(if_none_match='"0"'), part(proxy, 6, 10))
    assert asked_for(question)[0] == b"Range: bytes=6-" and answer.body == WHOLE.encode()


def test_who_has_parts_of_another_gets_the_whole(proxy):
    store(proxy, 0, 6)
    answer, question = proxy.ask(get(range="bytes=0-1", if_range='"0"'), part(proxy, 6, 10))
    assert asked_for(question) == [b"Range: bytes=6-", b'If-Range: "1"']
    assert (answer.status, answer.body) == (200, WHOLE.encode())


def test_a_condition_of_a_client_with_a_part_is_sent_on(proxy):
    answer, question = proxy.ask(get(range="bytes=0-1", if_range='"0"'), proxy.response(WHOLE, **FRESH))
    assert asked_for(question) == [b"Range: bytes=0-1", b'If-Range: "0"'] and answer.status == 200
    answer, question = proxy.ask(get(range="bytes=0-1", if_range='"1"'), part(proxy, 0, 2))
    assert asked_for(question) == [b"Range: bytes=0-1", b'If-Range: "1"'] and answer.told.endswith("stored")
    _, question = proxy.ask(get("/y", range="bytes=0-1", if_none_match='"1"'), proxy.response("", "304 No", **FRESH))
    assert asked_for(question) == [b"range: bytes=0-1", b'if-none-match: "1"']


def test_only_if_cached_gets_what_is_there_or_nothing(make):
    proxy = make(request_directives=True)
    store(proxy, 0, 6)
    assert proxy.ask(get(range="bytes=0-1", cache_control="only-if-cached"))[0].body == b"01"
    assert proxy.ask(get(range="bytes=5-7", cache_control="only-if-cached"))[0].status == 504
    assert proxy.ask(get(cache_control="only-if-cached"))[0].status == 504


@pytest.mark.parametrize("how", ["purge", "POST", "meanwhile"])
def test_what_was_purged_or_changed_is_not_completed(proxy, how):
    cut(proxy, 5)
    if how == "POST":
        proxy.ask(get(method="POST", content_length=0), proxy.response("", **FRESH))
    elif how == "purge":
        proxy.cache.purge(Kind.URL, b"http://a:80/x")
    else:
        (client,) = proxy.herd(get())
        origin, _ = proxy.question()
        proxy.ask(get(method="POST", content_length=0), proxy.response("", **FRESH))
        origin.send(part(proxy, 5, 10))
        proxy.clock.advance(0)
        again, question = proxy.question()
        assert asked_for(question) == []
        again.send(proxy.response("abcdefghij", **{**FRESH, "etag": '"2"'}))
        assert got([client])[0].body == b"abcdefghij"
        return
    whole, question = proxy.ask(get(), proxy.response("abcdefghij", **{**FRESH, "etag": '"2"'}))
    assert asked_for(question) == [] and whole.body == b"abcdefghij"


def test_what_was_purged_softly_is_validated_and_completed(proxy):
    cut(proxy, 5)
    proxy.cache.purge(Kind.ALL, soft=True)
    whole, question = proxy.ask(get(), part(proxy, 5, 10))
    assert asked_for(question) == [b"Range: bytes=5-", b'If-Range: "1"'] and whole.body == WHOLE.encode()


def test_an_answer_to_head_frees_parts_of_another(proxy):
    store(proxy, 0, 6)
    proxy.ask(get(method="HEAD"), proxy.response("", length=11, **FRESH))
    assert proxy.ask(get(range="bytes=0-1"), part(proxy, 0, 2))[1] is not None


def test_what_is_too_long_is_not_kept_in_parts(make):
    proxy = make(max_object_size=9)
    assert 'detail="too large"' in store(proxy, 0, 4).told
    assert 'detail="too large"' in make(size=8_000).ask(get(range="bytes=0-3"), part(proxy, 0, 4, "x" * 900))[0].told


def test_what_is_not_asked_for_often_is_not_kept_in_parts(make):
    proxy = make(min_uses=2)
    assert store(proxy, 0, 4).told == 'txproxy; fwd=bypass; detail="range"'
    assert store(proxy, 0, 4).told.endswith("stored")


# -- several at once


def test_who_asks_for_the_same_part_shares_it(proxy):
    clients = proxy.herd(get(range="bytes=2-6"), get(range="bytes=2-6"), get(range="bytes=3-4"))
    origin, question = proxy.question()
    assert asked_for(question) == [b"Range: bytes=2-6"]
    origin.send(part(proxy, 2, 7))
    answers = got(clients)
    assert [(one.status, one.body) for one in answers] == [(206, b"23456"), (206, b"23456"), (206, b"34")]
    assert [one.told.count("collapsed") for one in answers] == [0, 1, 1]


@pytest.mark.parametrize("other", [{"range": "bytes=2-7"}, {"range": "bytes=-5"}, {}, {"range": "bytes=0-3"}])
def test_who_asks_for_more_asks_the_origin(proxy, other):
    clients = proxy.herd(get(range="bytes=2-6"), get(**other))
    (first, _), (second, question) = proxy.questions()
    assert asked_for(question) == [b"Range: " + value.encode() for value in other.values()]
    first.send(part(proxy, 2, 7))
    spans = {"bytes=2-7": (2, 8), "bytes=-5": (5, 10), "bytes=0-3": (0, 4)}
    span = spans.get(other.get("range"))
    second.send(part(proxy, *span) if span else proxy.response(WHOLE, **FRESH))
    assert [one.body for one in got(clients)] == [b"23456", WHOLE[slice(*(span or (0, 10)))].encode()]


def test_who_comes_while_a_part_comes_shares_it(proxy):
    (first,) = proxy.herd(get(range="bytes=2-6"))
    origin, _ = proxy.question()
    response = part(proxy, 2, 7)
    origin.send(response[:-3])
    inside, outside = proxy.herd(get(range="bytes=4-5"), get(range="bytes=4-8"))
    other, question = proxy.question()
    assert asked_for(question) == [b"Range: bytes=4-8"]
    origin.send(response[-3:])
    other.send(part(proxy, 4, 9))
    assert [one.body for one in got([first, inside, outside])] == [b"23456", b"45", b"45678"]
    # They were not to be combined while they came, and are now.
    assert proxy.ask(get(range="bytes=4-8"))[1] is None


def test_who_wants_what_completes_it_shares_that(proxy):
    cut(proxy, 5)
    clients = proxy.herd(get(), get(), get(range="bytes=4-6"), get(range="bytes=0-1"))
    origin, question = proxy.question()
    assert asked_for(question)[0] == b"Range: bytes=5-"
    assert got(clients[-1:])[0].told == "txproxy; hit; ttl=60"
    origin.send(part(proxy, 5, 10)[:-2])
    (late,) = proxy.herd(get())
    origin.send(part(proxy, 5, 10)[-2:])
    assert [one.body for one in got([*clients[:3], late])] == [WHOLE.encode(), WHOLE.encode(), b"456", WHOLE.encode()]


def test_all_that_wait_for_what_cannot_be_combined_ask_for_the_whole(proxy):
    cut(proxy, 5)
    clients = proxy.herd(get(), get(range="bytes=3-7"))
    origin, _ = proxy.question()
    origin.send(part(proxy, 5, 10, "abcdefghij", etag='"2"'))
    proxy.clock.advance(0)
    for other, question in proxy.questions():
        is_part = b"ange: bytes=3-7" in question
        fields = {**FRESH, "etag": '"2"'}
        other.send(part(proxy, 3, 8, "abcdefghij", **fields) if is_part else proxy.response("abcdefghij", **fields))
    assert [one.body for one in got(clients)] == [b"abcdefghij", b"defgh"]


def test_a_whole_that_has_come_meanwhile_stays(proxy):
    proxy.herd(get(range="bytes=2-6"))
    origin, _ = proxy.question()
    proxy.ask(get(), proxy.response("abcdefghij", **{**FRESH, "etag": '"2"'}))
    origin.send(part(proxy, 2, 7))
    assert proxy.ask(get())[0].body == b"abcdefghij"


def test_a_part_that_comes_byte_by_byte(proxy):
    (client,) = proxy.herd(get(range="bytes=2-6"))
    origin, _ = proxy.question()
    origin.send_each_byte(part(proxy, 2, 7))
    assert got([client])[0].body == b"23456"
    (client,) = proxy.herd(get())
    origin, _ = proxy.question()
    origin.send_each_byte(proxy.response(WHOLE, **FRESH))
    assert got([client])[0].body == WHOLE.encode()
