"""What is said of a request without sending it."""

import pytest
from twisted.internet.defer import Deferred

from tests.config.everything import write_everything
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.config.toml.file import load, parse
from txproxy.interfaces import Answer
from txproxy.proxy.caching.filling.fill import Fill
from txproxy.runtime.explain import Question, explain

CONFIG = """
[[listeners]]
listen = "tcp:8080:interface=127.0.0.1"
[pools.app]
upstreams = ["http://10.0.0.1", "http://10.0.0.2;weight=2"]
[[routes]]
name = "admin"
path = "/admin"
respond = 403
[[routes]]
name = "api"
path = "/api"
strip_prefix = "/api"
pool = "app"
[[routes]]
name = "one"
path = "=/one"
strip_prefix = "/one"
pool = "app"
[[routes]]
name = "rest"
pool = "app"
"""


def said(url, method="GET"):
    text, done = explain(parse(CONFIG, "edge.toml"), Question.of(method, url, (), "127.0.0.1", None))
    return text.splitlines(), done


def test_nothing_is_said_of_the_health_of_upstreams_that_nobody_asked():
    lines, done = said("http://a.example/api/x")
    assert done
    assert "pool app (round-robin); no upstream was asked whether it is well" in lines
    assert not any("healthy" in line for line in lines)
    # a weight is what the file says
    assert any(line.startswith("    http://10.0.0.2 (weight 2): ") for line in lines)
    assert "sent to 10.0.0.1:80: GET /x HTTP/1.1" in lines or "sent to 10.0.0.2:80: GET /x HTTP/1.1" in lines


def rename(request):
    if request.path.startswith("/old"):
        request.path = request.path.replace("/old", "/api", 1)


def teapot(request):
    from txproxy.interfaces import Reply

    return Reply(418) if request.path == "/one" else None


def see(request, response):
    response.headers.set("X-Seen", "1")


HOOKED = CONFIG.replace("[pools.app]", f'before = ["{__name__}:rename"]\nafter = "{__name__}:see"\n[pools.app]', 1)
HOOKED = HOOKED.replace('path = "=/one"\n', f'path = "=/one"\nbefore = "{__name__}:teapot"\n')


def test_functions_before_and_after_are_named_and_routes_are_found_by_the_path_that_they_leave():
    config = parse(HOOKED, "edge.toml")

    def of(path):
        return explain(config, Question.of("GET", f"http://a.example{path}", (), "127.0.0.1", None))[0].splitlines()

    found = of("/old/x")
    assert f"after: {__name__}:see, once there is a response" in found
    assert f"before: {__name__}:rename, goes on to /api/x" in found
    assert any(line.startswith("route api: taken") for line in found)
    assert any(line.startswith("sent to ") and line.endswith(": GET /x HTTP/1.1") for line in found)
    found = of("/one")
    assert f"before: {__name__}:rename, goes on" in found and f"before: {__name__}:teapot, answers" in found
    assert found[-1].startswith("answer: 418") or any("418" in line for line in found)


@pytest.mark.parametrize("path", ["//admin", "/%2fadmin", "/x/..%2fadmin", "/x//../admin", "/.//admin", "/admin%2f"])
def test_a_path_that_leads_to_different_routes_is_told_of(path):
    lines, done = said(f"http://a.example{path}")
    assert not done
    assert lines[-1].startswith("answer: 400 Bad Request, the path leads to different routes by different readings: ")


def test_a_path_of_its_own_is_sent_to_no_slash():
    lines, done = said("http://a.example/one")
    assert done and any(line.endswith(": GET / HTTP/1.1") for line in lines)


def test_a_prefix_without_its_slash_is_redirected():
    lines, done = said("http://a.example/api?x", "POST")
    assert done
    assert lines[-2:] == ["answer: 308 Permanent Redirect", "    Location: ./api/?x"]


class Closed:
    """A middleware that lets nobody in."""

    def handle(self, request, context, proceed):
        return Answer(503, (b"Retry-After: 60",))


class Slow:
    """A middleware that waits for something."""

    def handle(self, request, context, proceed):
        return Deferred()


@pytest.mark.parametrize(
    ("name", "found", "last"),
    [
        ("tests.config.everything:Nothing", True, ["    X-Forwarded-Proto: http", "    X-Forwarded-Host: a.example"]),
        (
            "tests.runtime.test_explain:Closed",
            True,
            ["middleware Closed: decides itself", "answer: 503 Service Unavailable", "    Retry-After: 60"],
        ),
        (
            "tests.runtime.test_explain:Slow",
            True,
            ["middleware Slow: waits", "answer: none yet, as middleware Slow waits"],
        ),
    ],
)
def test_middleware_is_named_and_asked(name, found, last):
    text = CONFIG.replace("listen = ", f'via = "none"\nmiddleware = "{name}"\nlisten = ')
    question = Question.of("GET", "http://a.example/api/x", (), "127.0.0.1", None)
    lines, done = explain(parse(text, "edge.toml"), question)
    assert lines.splitlines()[2] == f"first: {name}"
    assert (done, lines.splitlines()[-len(last) :]) == (found, last)


def test_an_authorization_server_and_a_copy_are_told_of_and_not_asked():
    text = CONFIG.replace(
        'pool = "app"\n[[routes]]\nname = "one"',
        'pool = "app"\nauth = { pool = "app", path = "/may" }\nmirror = { pool = "app", share = 0.25 }\n'
        '[[routes]]\nname = "one"',
    )
    lines = explain(parse(text, "edge.toml"), Question.of("GET", "http://a.example/api/x", (), "127.0.0.1", None))[0]
    told = lines.splitlines()
    at = told.index("first: GET /may of pool app has to answer 2xx")
    assert told[at + 1] == "copy: 25% of these requests go to pool app as well"
    assert told[at + 2].startswith("pool app ")
    # what goes nowhere is not copied either
    lines = explain(parse(text, "edge.toml"), Question.of("GET", "http://a.example/api", (), "127.0.0.1", None))[0]
    assert "copy: " not in lines and lines.splitlines()[-2] == "answer: 301 Moved Permanently"


def test_a_client_that_is_pinned_is_known():
    text = CONFIG.replace("[pools.app]\n", '[pools.app]\nsticky = "ip"\n')
    lines, _ = explain(parse(text, "edge.toml"), Question.of("GET", "http://a.example/", (), "127.0.0.1", None))
    assert "sticky: the client is pinned to none yet" in lines.splitlines()


def test_a_body_that_is_announced_is_not_waited_for():
    text = CONFIG.replace('"http://10.0.0.1"', '"http://10.0.0.1;max=1"').replace(
        '"http://10.0.0.2', '"http://10.0.0.2;max=1'
    )
    question = Question.of("POST", "http://a.example/", ["Content-Length: 5"], "127.0.0.1", None)
    lines, done = explain(parse(text, "edge.toml"), question)
    assert done and "    Content-Length: 5" in lines.splitlines()


FORWARD = """
[[listeners]]
mode = "forward"
listen = "tcp:3128:interface=127.0.0.1"
audit = "audit.json"
{more}
"""


def forward(more, url, method="GET", user=None, lines=()):
    config = parse(FORWARD.format(more=more), "edge.toml")
    text, done = explain(config, Question.of(method, url, lines, "127.0.0.1", None, user))
    return text.splitlines()[2:], done


def test_what_is_known_of_an_address_is_told():
    assert forward("", "http://a.example/x") == (
        [
            "client: 127.0.0.1 may use this proxy",
            "target: a.example, port 80: allowed",
            "answer: sent to a.example:80, if the address that it has may be reached",
        ],
        True,
    )
    assert forward("", "a.example:443", "CONNECT")[0][-1] == (
        "answer: a tunnel to a.example:443, if the address that it has may be reached"
    )
    lines, done = forward("", "http://10.0.0.1/x")
    assert not done and lines[-1].startswith("answer: 403 Forbidden, 10.0.0.1 is at 10.0.0.1, which may not be reached")
    # a name that is told by a rule to be somewhere is not looked up either
    lines, done = forward('[[listeners.rules]]\naction = "allow"\naddresses = "8.0.0.0/8"', "http://a.example/")
    assert done and lines[-1] == (
        "answer: that has to be found out first: who it is, what addresses it has, or what somebody says"
    )


def test_a_question_for_a_person_is_not_put():
    lines, done = forward('[[listeners.rules]]\nname = "who"\naction = "ask"', "http://a.example/")
    assert done and lines[-3:-1] == [
        "rule who (ask): matches, it has no conditions",
        "rule default (deny): -, a rule before it decides",
    ]
    assert lines[-1].startswith("answer: that has to be found out first")


def test_who_it_is_taken_to_be_has_logged_in(tmp_path):
    (tmp_path / "users").write_text("bob:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\n")
    (tmp_path / "groups").write_text("staff: bob\n")
    more = (
        f'[listeners.auth]\npassword_file = "{tmp_path}/users"\ngroup_file = "{tmp_path}/groups"\n'
        '[[listeners.rules]]\nname = "staff"\naction = "allow"\ngroups = "staff"'
    )
    lines, done = forward(more, "http://a.example/", user="bob")
    assert done and lines[1] == "auth: it is bob"
    assert any(line.startswith("rule staff (allow): matches, ") for line in lines)
    lines, done = forward(more, "http://a.example/")
    assert not done and lines[1] == "auth: it is nobody, who is asked"
    assert lines[2] == "answer: 407 Proxy Authentication Required, credentials are missing"


def test_what_no_proxy_takes_for_a_request_is_answered():
    lines, done = said("http://a.example/x" + "y" * 70000)
    assert not done and lines[-1].startswith("answer: 414 URI Too Long")


def test_the_listener_that_speaks_tls_is_asked_about_its_certificates(tmp_path):
    config = load(str(write_everything(tmp_path)))
    question = Question.of("GET", "https://other.example:8443/", (), "127.0.0.1", None)
    text, done = explain(config, question)
    assert not done
    assert "answer: 421 Misdirected Request, no certificate here is for other.example:8443" in text.splitlines()
    # and a peer that is trusted is believed
    question = Question.of("GET", "https://app.example:8443/", ["X-Forwarded-For: 192.0.2.9"], "127.0.0.1", None)
    text, done = explain(config, question)
    assert done and "client: 192.0.2.9, as 127.0.0.1 is a trusted proxy" in text.splitlines()


# -- caching

CACHE = """
[cache]
size = "1M"
[[cache_rules]]
name = "private"
paths = "/private"
cache = false
[[cache_rules]]
name = "rest"
min_ttl = 5
"""


def said_of_caching(config, url, monkeypatch, method="GET", fields=()):
    """The lines about it; nothing is fetched, kept or looked up for that."""

    def nothing(*_):
        raise AssertionError("it is only asked about")

    monkeypatch.setattr(MemoryStore, "put", nothing)
    monkeypatch.setattr(Fill, "begin", nothing)
    text, done = explain(parse(config, "edge.toml"), Question.of(method, url, fields, "127.0.0.1", None))
    assert done
    return [line for line in text.splitlines() if line.startswith(("cache", "caching", "device"))]


@pytest.mark.parametrize(
    ("url", "lines"),
    [
        ("http://a.example/private", ["cache rule private: taken, not cached"]),
        (
            "http://a.example/x",
            ["cache rule private: path is not /private", "cache rule rest: taken, cached", "cache: nothing is stored"],
        ),
        # Its route cuts /api off.
        ("http://a.example/api/private", ["cache rule private: taken, not cached"]),
    ],
)
def test_it_is_told_which_cache_rule_counts(url, lines, monkeypatch):
    assert said_of_caching(CACHE + CONFIG, url, monkeypatch) == lines


@pytest.mark.parametrize(
    ("method", "fields", "lines"),
    [
        ("POST", (), ["cache: what comes is not kept, method"]),
        ("DELETE", (), ["cache: what comes is not kept, method"]),
        ("HEAD", (), ["cache: nothing is stored", "cache: what comes is not kept, uri-miss"]),
        (
            "GET",
            ("Range: bytes=0-1",),
            [
                "cache: nothing is stored",
                "cache: a part is kept if it has a strong ETag, and says how long the whole is",
            ],
        ),
        (
            "GET",
            ("Range: bytes=0-1,5-6",),
            ["cache: nothing is stored", "cache: what comes is not kept, bypass: range"],
        ),
        ("GET", ("Content-Length: 1",), ["cache: what comes is not kept, bypass: body"]),
        (
            "GET",
            ("Authorization: Basic YTpi",),
            ["cache: nothing is stored, with credentials what comes is kept if it says that it is for all"],
        ),
    ],
)
def test_why_a_request_is_not_for_the_cache_is_told(method, fields, lines, monkeypatch):
    said = said_of_caching(CACHE + CONFIG, "http://a.example/x", monkeypatch, method, fields)
    assert said[2:] == lines


def test_the_class_of_the_device_and_how_often_are_told(monkeypatch):
    config = CACHE.replace("[cache]\n", "[cache]\nkey_device = true\nmin_uses = 2\n") + CONFIG
    said = said_of_caching(config, "http://a.example/x", monkeypatch, fields=("User-Agent: (iPhone)",))
    assert said[2:] == [
        "device class: mobile",
        "cache: nothing is stored",
        "cache: what comes is not kept, uri-miss: not asked for often enough",
    ]


def test_a_route_that_says_it_itself_is_told_of(monkeypatch):
    config = CACHE + CONFIG.replace('name = "rest"\npool', 'name = "rest"\ncache = false\npool')
    assert said_of_caching(config, "http://a.example/x", monkeypatch) == ["caching: not cached, as rest says"]


def test_a_forward_proxy_tells_it_as_well(monkeypatch):
    config = CACHE + "[[listeners]]\nmode = 'forward'\nlisten = 'tcp:3128'\n"
    lines = said_of_caching(config, "http://a.example/x", monkeypatch)
    assert lines[-2:] == ["cache rule rest: taken, cached", "cache: nothing is stored"]


def test_a_certificate_for_trials_is_marked(tmp_path):
    (tmp_path / "proxy.toml").write_text(
        '[[listeners]]\nlisten = "127.0.0.1:80"\ntls_listen = "127.0.0.1:443"\nself_signed = true\npool = "app"\n'
        '[pools.app]\nupstreams = "http://127.0.0.1:1"\n'
    )
    config = load(str(tmp_path / "proxy.toml"))
    said = [
        explain(config, Question.of("GET", f"{s}://localhost/", [], "127.0.0.1", None, None))[0]
        for s in ("http", "https")
    ]
    assert "trials" not in said[0]
    assert "taken, by a self-signed certificate for trials (localhost, 127.0.0.1, ::1)" in said[1]
