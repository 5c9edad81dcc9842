"""``/api/cache``."""

import attrs
import pytest

from tests.proxy.caching.caching_proxy import CachingProxy, get
from txproxy.admin.api_call import ApiCall
from txproxy.admin.caching.cache_verbs import CacheVerbs
from txproxy.admin.caching.warming import Way
from txproxy.admin.merging import Asked, WorkerName


@attrs.define
class View:
    cache: object
    ways: list


@pytest.fixture
def proxy():
    proxy = CachingProxy()
    yield proxy
    proxy.close()


@pytest.fixture
def view(proxy):
    way = Way("edge", False, proxy.factory.services, proxy.factory.handle)
    return View(proxy.cache, [Way("out", True, None, None), way])


@pytest.fixture
def client(serve, proxy, view):
    return serve(CacheVerbs(view, proxy.clock).verbs())


def fill(proxy, *paths, **fields):
    for path in paths:
        proxy.ask(get(path), proxy.response(cache_control="max-age=60", **fields))


def test_without_a_cache_there_is_nothing(client, view):
    view.cache = None
    for method, path, body in [
        ("GET", "/api/cache", None),
        ("GET", "/api/cache/entries", None),
        ("POST", "/api/cache/purge", {"all": True}),
        ("POST", "/api/cache/warm", {"urls": ["http://a/"]}),
    ]:
        answer = client.ask(method, path, body=body)
        assert answer.status == 404 and answer.json["error"].startswith("there is no cache; accepted is it with")


def test_statistics(client, proxy):
    fill(proxy, "/1", "/2")
    proxy.ask(get("/1"))
    found = client.ask("GET", "/api/cache").json
    memory = found["memory"]
    assert (memory["objects"], memory["hits"], memory["evictions"], memory["most_bytes"]) == (2, 1, 0, 1 << 22)
    assert 2000 < memory["bytes"] < 20_000 and "disk" not in found
    assert (found["fetching"], found["purges"]) == (0, {"sequence": 0, "marks": 0})


def test_what_is_stored_is_listed(client, proxy):
    fill(proxy, "/1", "/2", "/3")
    found = client.ask("GET", "/api/cache/entries?prefix=HTTP://A/&limit=2").json
    assert len(found["entries"]) == 2 and found["complete"] is False
    assert client.ask("GET", "/api/cache/entries?prefix=http://b/").json == {"entries": [], "complete": True}
    for query in ("prefix=nonsense", "limit=0", "limit=10001", "limit=x", "limit=-1"):
        assert client.ask("GET", f"/api/cache/entries?{query}").status == 400


GROUPS = {"cache_groups": '"g"', "surrogate_key": "t u"}


@pytest.mark.parametrize(
    "body",
    [
        {"url": "http://a/1"},
        {"url": "HTTP://A:80/1#x"},
        {"prefix": "http://a/"},
        {"host": "a"},
        {"host": "a:80"},
        {"tag": "t"},
        {"group": "g", "origin": "http://a"},
        {"group": "g", "origin": "http://a:80/"},
        {"all": True},
        {"all": True, "soft": False},
    ],
)
def test_what_is_purged_is_asked_for_again(client, proxy, body):
    fill(proxy, "/1", **GROUPS)
    assert proxy.ask(get("/1"))[1] is None
    answer = client.ask("POST", "/api/cache/purge", body=body)
    assert (answer.status, answer.json) == (200, {"purged": True, "sequence": 1})
    assert proxy.ask(get("/1"), proxy.response())[1] is not None


@pytest.mark.parametrize(
    "body",
    [
        {"url": "http://a/2"}, {"url": "https://a/1"}, {"prefix": "http://a/2"}, {"host": "b"}, {"host": "a:81"},
        {"tag": "v"}, {"group": "h", "origin": "http://a"}, {"group": "g", "origin": "https://a"},
    ],
)  # fmt: skip
def test_what_is_not_stays(client, proxy, body):
    fill(proxy, "/1", **GROUPS)
    assert client.ask("POST", "/api/cache/purge", body=body).status == 200
    assert proxy.ask(get("/1"))[1] is None


def test_what_is_purged_softly_is_validated(client, proxy):
    fill(proxy, "/1", etag='"e"')
    client.ask("POST", "/api/cache/purge", body={"url": "http://a/1", "soft": True})
    _, asked = proxy.ask(get("/1"), proxy.response("", status="304 Not Modified", etag='"e"'))
    assert b'If-None-Match: "e"' in asked


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "what is to be purged is to be said once; accepted is one of url, prefix, host, tag, group, all"),
        ({"url": "http://a/", "tag": "t"}, "is to be said once"),
        ({"url": "x"}, "accepted is a URL such as https://example.com/path"),
        ({"url": ""}, "url: '' is no text"),
        ({"url": 5}, "url: 5 is no text"),
        ({"host": "a/b"}, "accepted is a host such as example.com"),
        ({"tag": "\ud800"}, ""),
        ({"all": False}, "all: nothing is to be purged; accepted is true"),
        ({"all": 1}, "all: 1 is neither; accepted: true, false"),
        ({"all": True, "soft": "yes"}, "soft: 'yes' is neither"),
        ({"group": "g"}, "origin: None is no text"),
        ({"group": "g", "origin": "a"}, "accepted is a URL"),
        ({"group": "g", "origin": "http://a/x"}, "origin: 'http://a/x' has a path; accepted is https://example.com"),
        ({"tag": "t", "origin": "http://a"}, "origin: it is for group"),
        ({"tag": "t" * 20_000}, "accepted is what is not longer than 16384 bytes"),
    ],
)
def test_what_cannot_be_purged_is_told(client, proxy, body, said):
    answer = client.ask("POST", "/api/cache/purge", body=body)
    if said:
        assert answer.status == 400 and said in answer.json["error"]
        assert proxy.cache.marks.seq == 0
    else:
        assert answer.status == 200, "any bytes may be a tag"


def test_a_journal_that_cannot_be_written_is_told(client, proxy, monkeypatch):
    def add(*words):
        raise OSError(28, "No space left on device")

    class Marks:
        seq = 0

    proxy.cache.marks = Marks()
    proxy.cache.marks.add = add
    answer = client.ask("POST", "/api/cache/purge", body={"all": True})
    said = "the purge cannot be written down: No space left on device"
    assert (answer.status, answer.json) == (500, {"error": said})


def test_what_is_warmed_is_stored_by_the_reverse_proxy_or_who_is_named(client, proxy):
    assert client.ask("POST", "/api/cache/warm", body={"urls": ["http://a/1"], "headers": ["A: b"]}) is None
    proxy.clock.advance(0)
    assert b"\r\nA: b\r\n" in proxy.upstream.take()
    proxy.upstream.send(proxy.response(cache_control="max-age=60"))
    proxy.clock.advance(0)
    assert b'"stored": true' in client.connection.take()
    assert client.ask("POST", "/api/cache/warm", body={"urls": ["http://a/1"], "listener": "edge"}) is None
    proxy.clock.advance(0)
    assert b'"HIT"' in client.connection.take()


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 400, "urls: there are 0; accepted are 1 to 1000"),
        ({"urls": "http://a/"}, 400, "urls: 'http://a/' is no list of texts"),
        ({"urls": [5]}, 400, "urls: [5] is no list of texts"),
        ({"urls": ["http://a/"] * 1001}, 400, "urls: there are 1001"),
        ({"urls": ["http://a/", "x"]}, 400, "urls: 'x' is no URL; accepted is http://HOST/PATH"),
        ({"urls": ["http://a/"], "headers": ["x"]}, 400, "'x' is no field"),
        ({"urls": ["http://a/"], "listener": "edgy"}, 404, "there is no 'edgy' (is edge meant?); accepted: edge, out"),
    ],
)
def test_what_cannot_be_warmed_is_told(client, proxy, body, status, said):
    answer = client.ask("POST", "/api/cache/warm", body=body)
    assert answer.status == status and said in answer.json["error"]
    assert proxy.network.connections == []


def of_workers(method, path, *answers, **query):
    """What is made of what the first, second and further workers say."""
    (verb,) = [one for one in CacheVerbs(None, None).verbs() if (one.method, one.path) == (method, path)]
    said = {WorkerName(number, 100 + number): answer for number, answer in enumerate(answers, 1)}
    return verb.merge.merged(ApiCall(query=query), said)


def test_workers_have_a_memory_each_and_one_disk():
    one = {
        "memory": {"objects": 1, "bytes": 10, "most_bytes": 100, "hits": 5, "evictions": 0},
        "disk": {"bytes": 70, "most_bytes": 1000, "hits": 2, "indexed": True},
        "fetching": 1,
        "purges": {"sequence": 7, "marks": 3},
    }
    other = {**one, "disk": {**one["disk"], "bytes": 80, "indexed": False}, "purges": {"sequence": 8, "marks": 2}}
    assert of_workers("GET", "/api/cache", one, other) == {
        "memory": {"objects": 2, "bytes": 20, "most_bytes": 200, "hits": 10, "evictions": 0},
        "disk": {"bytes": 80, "most_bytes": 1000, "hits": 4, "indexed": False},
        "fetching": 2,
        "purges": {"sequence": 8, "marks": 3},
    }
    assert of_workers("POST", "/api/cache/purge", {"purged": True, "sequence": 7}, {"purged": True, "sequence": 9}) == {
        "purged": True,
        "sequence": 9,
    }


def test_what_several_workers_have_is_listed_once():
    def entry(url, *places, vary=None):
        return {"url": url, "vary": vary or {}, "in": list(places)}

    path = "/api/cache/entries"
    one = {"entries": [entry("http://a/", "memory"), entry("http://c/", "disk")], "complete": True}
    other = {"entries": [entry("http://a/", "disk"), entry("http://a/", "memory", vary={"x": "1"})], "complete": True}
    found = of_workers("GET", path, one, other)
    assert [(each["url"], each["in"]) for each in found["entries"]] == [
        ("http://a/", ["memory", "disk"]),
        ("http://a/", ["memory"]),
        ("http://c/", ["disk"]),
    ]
    assert found["complete"] is True
    found = of_workers("GET", path, one, other, limit="2")
    assert len(found["entries"]) == 2 and found["complete"] is False


def test_pages_are_warmed_by_one_worker_after_the_other():
    (verb,) = [one for one in CacheVerbs(None, None).verbs() if one.path == "/api/cache/warm"]
    assert (verb.merge.asked, verb.merge.patience) == (Asked.IN_TURN, None)
    stored, hit = {"warmed": [{"cache": "fwd=miss"}]}, {"warmed": [{"cache": "hit"}]}
    assert of_workers("POST", "/api/cache/warm", stored, hit) == stored
