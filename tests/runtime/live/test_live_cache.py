"""The cache of a running configuration: who shares it, and what a reload leaves of it."""

import contextlib
import gc
import os
from email.utils import formatdate

import pytest
from twisted.internet.defer import succeed

from tests.runtime.test_reload import Running
from txproxy.config.toml.file import parse
from txproxy.errors import ConfigError
from txproxy.runtime.live.live_cache import live_cache

FORWARD = "[[listeners]]\nmode = 'forward'\nlisten = 'tcp:3128'\nallow_destinations = ['10.0.0.0/8']\n"
REVERSE = """
[[listeners]]
name = "one"
listen = "tcp:8080"
pool = "app"
[[listeners]]
name = "two"
listen = "tcp:8081"
pool = "app"
[pools.app]
upstreams = "http://10.0.0.1:8001"
"""
TCP = "[[listeners]]\nlisten = 'tcp:5432'\nmode = 'tcp'\npool = 'db'\n[pools.db]\nupstreams = ['db.example:5432']\n"


def kept(body="first", seconds=60):
    """A response that is fresh for so long."""
    lines = f"Date: {formatdate(usegmt=True)}\r\nCache-Control: max-age={seconds}\r\nContent-Length: {len(body)}"
    return f"HTTP/1.1 200 OK\r\n{lines}\r\n\r\n{body}".encode()


@pytest.fixture
def run():
    running = []

    def run(config, size="1M"):
        running.append(Running(f"[cache]\nsize = '{size}'\n" + config))
        return running[-1]

    yield run
    for one in running:
        one.stop()


def told(client):
    """What Cache-Status says of what a client got."""
    return next(line for line in client.received.split(b"\r\n") if line.startswith(b"Cache-Status: ")).decode()


def cache_of(proxy):
    """What the first listener answers from."""
    return proxy.factory.services.inner_middleware[0].cache


def reload(proxy, config, size="1M"):
    proxy.reload(f"[cache]\nsize = '{size}'\n" + config)


def test_what_one_listener_has_fetched_another_one_answers(run):
    proxy = run(REVERSE)
    assert "stored" in told(proxy.ask("/x", 8080, answer=kept()))
    client = proxy.ask("/x", 8081, answer=kept("second"))
    assert client.received.endswith(b"first") and "; hit; " in told(client)


def test_a_forward_proxy_answers_from_it(run):
    proxy = run(FORWARD)
    proxy.ask("http://10.0.0.7/x", answer=kept())
    client = proxy.ask("http://10.0.0.7/x", answer=kept("second"))
    assert client.received.endswith(b"first") and "; hit; " in told(client)


def test_a_site_that_upstreams_know_by_another_host_is_another(run):
    proxy = run(REVERSE.replace('name = "one"', 'name = "one"\nhost = "public.example"'))
    proxy.ask("/x", 8080, answer=kept())
    client = proxy.ask("/x", 8081, answer=kept("second"))
    assert client.received.endswith(b"second") and "stored" in told(client)
    client = proxy.ask("/x", 8080, answer=kept("third"))
    assert client.received.endswith(b"first") and "; hit; " in told(client)


OTHER = FORWARD.replace("3128", "3129")


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        (OTHER, True),
        (OTHER + "via = 'edge'\ndeny_hosts = 'b.example'\n", True),
        (OTHER.replace("['10.0.0.0/8']", "[]"), False),
        (OTHER + "parents = 'http://10.0.0.9:3128'\n", False),
        (OTHER + "bind = '10.0.0.3'\n", False),
        (OTHER + "[[listeners.binds]]\naddress = '10.0.0.3'\nhosts = 'a.example'\n", False),
        (OTHER + "safe_search = 'google'\n", False),
    ],
)
def test_a_forward_proxy_answers_from_what_was_reached_in_its_own_way(run, other, shared):
    proxy = run(FORWARD + other)
    proxy.ask("http://10.0.0.7/x", answer=kept())
    client = proxy.ask("http://10.0.0.7/x", 3129, answer=kept("second"))
    assert client.received.endswith(b"first" if shared else b"second")
    assert proxy.ask("http://10.0.0.7/x", answer=kept("third")).received.endswith(b"first")


def test_what_may_not_be_reached_any_more_is_not_answered_from_it(run):
    proxy = run(FORWARD)
    proxy.ask("http://10.0.0.7/x", answer=kept())
    reload(proxy, FORWARD.replace("10.0.0.0/8", "10.0.0.0/30"))
    assert proxy.ask("http://10.0.0.7/x", answer=kept("second")).received.endswith(b"second")


@pytest.mark.parametrize(
    "change", [("8001", "8002"), ("[[listeners]]", "[[listeners]]\nvia = 'edge'"), ("'1M'", "'2M'"), ("'1M'", "'1M'")]
)
def test_a_reload_keeps_what_is_stored(run, change):
    text = "[cache]\nsize = '1M'\n" + REVERSE
    proxy = run(REVERSE)
    proxy.ask("/x", 8080, answer=kept())
    proxy.reload(text.replace(*change))
    client = proxy.ask("/x", 8080, answer=kept("second"))
    assert client.received.endswith(b"first") and "; hit; " in told(client)


def test_what_does_not_fit_into_the_next_size_goes(run):
    proxy = run(REVERSE)
    for number in range(30):
        proxy.ask(f"/{number}", 8080, answer=kept("x" * 10_000))
    cache = cache_of(proxy)
    assert len(cache.store) == 30
    reload(proxy, REVERSE, "100k")
    assert 0 < len(cache.store) < 10
    assert cache.store.bytes_used <= 100 << 10


def test_a_reload_that_fails_leaves_the_size_as_it_is(run):
    proxy = run(REVERSE)
    proxy.reactor.taken = (9999,)
    with pytest.raises(ValueError, match="9999"):
        reload(proxy, REVERSE + "[[listeners]]\nlisten = 'tcp:9999'\npool = 'app'\n", "100k")
    assert cache_of(proxy).store.size == 1 << 20


def test_the_cache_comes_and_goes_with_its_table(run):
    proxy = run(REVERSE)
    proxy.ask("/x", 8080, answer=kept())
    proxy.reload(REVERSE)
    client = proxy.ask("/x", 8080, answer=kept("second"))
    assert client.received.endswith(b"second") and b"Cache-Status" not in client.received
    reload(proxy, REVERSE)
    assert "stored" in told(proxy.ask("/x", 8080, answer=kept("third")))


def test_it_speaks_by_the_name_that_all_listeners_have(run):
    proxy = run(REVERSE.replace("[[listeners]]", "[[listeners]]\nvia = 'edge'"))
    assert told(proxy.ask("/x", 8080, answer=kept())).startswith("Cache-Status: edge; ")


def test_a_listener_whose_cache_is_the_same_is_the_same(run):
    proxy = run(REVERSE)
    factory = proxy.factory
    reload(proxy, REVERSE)
    assert proxy.factory is factory


def test_raw_streams_have_none():
    assert live_cache(parse("[cache]\nsize = '1M'\n" + TCP, "p.toml"), None) is None


# -- policies

ROUTES = (
    REVERSE
    + """
[[routes]]
name = "api"
path = "/api"
pool = "app"
"""
)


def plain(body="first"):
    """A response that says nothing of caching."""
    return f"HTTP/1.1 200 OK\r\nDate: {formatdate(usegmt=True)}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def is_kept(proxy, url="/x", port=8080):
    """Whether a second client gets what was sent to a first one."""
    proxy.ask(url, port, answer=plain())
    return proxy.ask(url, port, answer=plain("second")).received.endswith(b"first")


def test_defaults_are_for_both_modes(run):
    proxy = run("min_ttl = 60\n" + REVERSE.replace("[pools", FORWARD + "[pools"))
    assert is_kept(proxy) and is_kept(proxy, "http://10.0.0.7/x", 3128)


def test_a_field_for_the_caches_of_sites_counts_in_front_of_them_alone(run):
    proxy = run(REVERSE.replace("[pools", FORWARD + "[pools"))
    targeted = kept().replace(b"Cache-Control", b"CDN-Cache-Control")
    assert "stored" in told(proxy.ask("/x", 8080, answer=targeted))
    assert "stored" not in told(proxy.ask("http://10.0.0.7/x", 3128, answer=targeted))


def test_a_route_says_whether_its_responses_are_kept(run):
    proxy = run("min_ttl = 60\n" + ROUTES + "cache = false\n")
    assert is_kept(proxy, "/x") and not is_kept(proxy, "/api/x")
    reload(proxy, ROUTES + "cache = { min_ttl = 60 }\n")
    assert not is_kept(proxy, "/y") and is_kept(proxy, "/api/x")


def test_an_access_rule_says_it_for_its_own_listener(run):
    rule = "[[listeners.rules]]\nname = 'all'\naction = 'allow'\n"
    other = FORWARD.replace("3128", "3129")
    proxy = run("min_ttl = 60\n" + FORWARD + rule + other + rule + "cache = false\n")
    assert is_kept(proxy, "http://10.0.0.7/x", 3128)
    assert proxy.ask("http://10.0.0.7/x", 3129, answer=plain("third")).received.endswith(b"third")


def test_the_first_cache_rule_counts(run):
    rules = "[[cache_rules]]\npaths = '/x'\ncache = false\n[[cache_rules]]\nhosts = 'a'\nmin_ttl = 60\n"
    proxy = run(rules + REVERSE)
    assert not is_kept(proxy, "/x/y") and is_kept(proxy, "/y")


def test_a_reload_that_changes_policies_keeps_what_is_stored(run):
    never = "[[cache_rules]]\npaths = '/x'\ncache = false\n"
    proxy = run("min_ttl = 60\n" + REVERSE)
    for _ in range(3):
        assert is_kept(proxy)
    reload(proxy, never + REVERSE)
    client = proxy.ask("/x", 8080, answer=plain("second"))
    assert client.received.endswith(b"second")
    reload(proxy, "min_ttl = 60\n" + REVERSE)
    assert proxy.ask("/x", 8080, answer=plain("third")).received.endswith(b"first")


def test_a_reload_that_changes_nothing_of_policies_keeps_the_listener(run):
    text = "min_ttl = 60\n[[cache_rules]]\npaths = '/x'\nmin_ttl = 5\n" + ROUTES + "cache = false\n"
    proxy = run(text)
    factory = proxy.factory
    reload(proxy, text)
    assert proxy.factory is factory
    reload(proxy, text.replace("= 5", "= 6"))
    assert proxy.factory is not factory


# -- a directory


@pytest.fixture
def on_disk(tmp_path):
    running = []

    def on_disk(name="cache", size="16M"):
        running.append(Running(directory(name, size) + REVERSE))
        return running[-1]

    def directory(name="cache", size="16M"):
        return f"[cache]\ndir = '{tmp_path / name}'\ndir_size = '{size}'\n"

    on_disk.lines = directory
    yield on_disk
    for one in running:
        one.stop()


def in_this_thread(proxy):
    cache_of(proxy).in_thread = lambda reactor, read: succeed(read())
    return proxy


def test_what_is_on_the_disk_is_there_after_a_restart(on_disk):
    before = on_disk()
    before.ask("/x", 8080, answer=kept())
    before.stop()
    proxy = in_this_thread(on_disk())
    client = proxy.ask("/x", 8081, answer=kept("second"))
    assert client.received.endswith(b"first") and "; hit; " in told(client)


def test_a_reload_keeps_the_directory_open(on_disk):
    proxy = on_disk()
    proxy.ask("/x", 8080, answer=kept())
    disk = cache_of(proxy).tiers.disk
    proxy.reload(on_disk.lines() + REVERSE.replace("8001", "8002"))
    assert cache_of(proxy).tiers.disk is disk
    assert told(proxy.ask("/x", 8080)).startswith("Cache-Status: txproxy; hit")


@pytest.mark.parametrize("words", [("other",), ("cache", "32M")])
def test_another_directory_takes_its_place(on_disk, words):
    proxy = on_disk()
    proxy.ask("/x", 8080, answer=kept())
    before = cache_of(proxy)
    proxy.reload(on_disk.lines(*words) + REVERSE)
    in_this_thread(proxy)
    assert before.tiers is None and cache_of(proxy).tiers is not None
    client = proxy.ask("/x", 8080, answer=kept("second"))
    assert client.received.endswith(b"first" if words[0] == "cache" else b"second")


@pytest.mark.parametrize("words", [("other",), None])
def test_what_it_had_in_memory_goes(on_disk, words):
    proxy = on_disk()
    proxy.ask("/x", 8080, answer=kept("x" * 40_000))
    before = cache_of(proxy).store.memory
    assert before.bytes_used
    proxy.reload((on_disk.lines(*words) if words else "") + REVERSE)
    assert len(before) == 0


def descriptors(tmp_path):
    """The files of the cache that are open: by name below a directory, or in memory."""
    names = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            name = os.readlink(f"/proc/self/fd/{number}")
            if name.startswith(str(tmp_path)) or "txproxy-cache" in name:
                names.append(name.removeprefix(str(tmp_path)))
    with open("/proc/self/maps") as maps:
        names += [line.split()[-1].removeprefix(str(tmp_path)) for line in maps if str(tmp_path) in line]
    return sorted(names)


@pytest.fixture
def no_collection():
    """What goes has to go at once, and not when the collector comes by."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the system does not tell")
@pytest.mark.parametrize("size", [5, 100_000])
@pytest.mark.parametrize("to", ["other", None])
def test_files_of_a_directory_that_was_left_are_closed_with_their_last_reader(
    on_disk, tmp_path, no_collection, size, to
):
    proxy = on_disk()
    before = descriptors(tmp_path)
    assert len([name for name in before if name.startswith("/cache/")]) >= 4
    body = "x" * size
    for _ in range(3):
        # Hot by then.
        client = proxy.ask("/x", 8080, answer=kept(body))
    body_read = next(iter(cache_of(proxy).tiers.memory._nodes)).body
    proxy.reload((on_disk.lines(to) if to else "") + REVERSE)
    left = {name for name in descriptors(tmp_path) if name.startswith("/cache/")}
    if size == 5:
        assert left == set()
    else:
        # Somebody reads it.
        assert {name.rpartition(".")[2] for name in left} == {"segment"}
        assert client.received.endswith(body.encode())
    del body_read
    assert not [name for name in descriptors(tmp_path) if name.startswith("/cache/")]
    assert sum("txproxy-cache" in name for name in descriptors(tmp_path)) == (
        sum("txproxy-cache" in name for name in before) - (to is None)
    )


def test_a_reload_leaves_nothing_with_those_it_replaces(on_disk, tmp_path, no_collection):
    proxy = on_disk()
    for _ in range(3):
        proxy.ask("/x", 8080, answer=kept("x" * 100_000))
    for number in range(200):
        # What is hot goes from the disk.
        proxy.ask(f"/{number}", 8080, answer=kept("y" * 200_000))
    list(cache_of(proxy).tiers.let_go())
    # It is hot, and gone.
    assert "/cache/00000001.v1.segment (deleted)" in descriptors(tmp_path)
    proxy.reload(on_disk.lines() + REVERSE.replace("8001", "8002"))
    assert not any(name.startswith("/cache/00000001.") for name in descriptors(tmp_path))


def test_a_directory_that_cannot_be_used_changes_nothing(on_disk, tmp_path):
    proxy = on_disk()
    proxy.ask("/x", 8080, answer=kept())
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"edge[.]toml:4: cache[.]dir: .*file: is not a directory"):
        proxy.reload(on_disk.lines("file") + REVERSE)
    assert told(proxy.ask("/x", 8080)).startswith("Cache-Status: txproxy; hit")


def test_what_explains_a_configuration_leaves_its_directory_alone(on_disk, tmp_path):
    config = parse(on_disk.lines() + REVERSE, "p.toml")
    assert live_cache(config, None) is not None
    assert not (tmp_path / "cache").exists()


def test_what_one_route_changes_is_gone_for_another_one_after_a_restart(on_disk):
    lines = on_disk.lines() + ROUTES
    before = Running(lines)
    before.ask("/api/x", 8080, answer=kept())
    before.stop()
    proxy = in_this_thread(Running(lines.replace('path = "/api"', 'path = "/api"\nmethods = "GET"')))
    try:
        client = proxy.reactor.connect(8080)
        client.send(b"DELETE /api/x HTTP/1.1\r\nHost: a\r\n\r\n")
        proxy.network.connections[-1].send(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert proxy.ask("/api/x", 8080, answer=kept("second")).received.endswith(b"second")
    finally:
        proxy.stop()
