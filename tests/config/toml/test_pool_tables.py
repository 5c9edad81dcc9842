"""Pools in a file."""

import re

import pytest

from tests.tls.authority import new_ca
from txproxy.config.toml.pool_tables import sticky_kind, strategy_name
from txproxy.errors import ConfigError
from txproxy.forward.parents.parent import Parent
from txproxy.interfaces import Address
from txproxy.limits.requests.adaptive_limit import AdaptiveBounds
from txproxy.upstreams.ejection import Ejection
from txproxy.upstreams.health.health_check import HealthCheck, Statuses
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream import Upstream
from txproxy.upstreams.upstream_tls import UpstreamTls

TCP = '[[listeners]]\nmode = "tcp"\nlisten = "tcp:1"\npool = "db"\n[pools.db]\n'
BEGIN = '[[listeners]]\nlisten = "tcp:8080"\npool = "app"\n[pools.app]\n'


@pytest.fixture
def pool(read):
    return lambda text: read(BEGIN + text).pool("app")


def test_little_has_to_be_said(pool):
    made = pool('upstreams = "http://a"')
    assert (made.upstreams, made.strategy, made.settings, made.tcp) == (
        ("http://a",), "round-robin", PoolSettings(), False,
    )  # fmt: skip
    assert (made.host, made.sticky, made.sticky_key) == (None, None, None)


def test_upstreams_are_texts_or_tables(pool):
    made = pool("""
        upstreams = [
            "http://a;weight=2",
            { url = "https://b:8443", weight = 3, backup = true, max = 4, resolve = true },
            { url = "unix:/run/x", weight = 0, drain = true },
            { url = "http://c", backup = false },
        ]
    """)
    assert made.upstreams == (
        "http://a;weight=2", "https://b:8443;weight=3;max=4;backup;resolve", "unix:/run/x;weight=0;drain",
        "http://c",
    )  # fmt: skip


def test_all_can_be_said(pool):
    made = pool("""
        upstreams = ["http://a", "http://b"]
        strategy = "header-hash:X-User"
        retries = 0
        sticky = "cookie:c"
        sticky_key = "0123456789abcdef"
        slow_start = "30s"
        panic = 0.25
        queue = 10
        queue_timeout = 0.5
        tolerate = ["bare-lf"]
        host = "upstream"
        proxy_protocol = 2
        health.path = "/h"
        health.method = "HEAD"
        health.interval = "10s"
        health.timeout = 1.5
        health.rise = 1
        health.fall = 2
        health.host = "h:80"
        health.expect = [200, "300-399"]
        eject_on = "5xx"
        ejection = { failures = 3, base = "1m", longest = 120, share = 1 }
        tls = { insecure = true, server_name = "b.example" }
        alpn = ["h2", "http/1.1"]
    """)
    assert (made.strategy, made.sticky, made.sticky_key, made.host) == (
        "header-hash:X-User", "cookie:c", b"0123456789abcdef", "upstream",
    )  # fmt: skip
    assert made.settings == PoolSettings(
        retries=0,
        ejection=Ejection(eject_on="5xx", failures=3, base=60, longest=120, share=1),
        slow_start=30,
        panic=0.25,
        health=HealthCheck(
            path=b"/h", method=b"HEAD", interval=10, timeout=1.5, rise=1, fall=2, host=b"h:80",
            expect=Statuses(((200, 200), (300, 399))),
        ),
        proxy_protocol=2,
        queue=10,
        queue_timeout=0.5,
        tolerate=frozenset({"bare-lf"}),
        tls=UpstreamTls(insecure=True, server_name="b.example", alpn=("h2", "http/1.1")),
    )  # fmt: skip
    assert "0123456789abcdef" not in repr(made)


def test_what_is_off_is_off(pool):
    made = pool('upstreams = "http://a"\nejection = false\nslow_start = 0')
    assert (made.settings.ejection, made.settings.slow_start, made.settings.health) == (None, 0, None)


@pytest.mark.parametrize(("bound", "means"), [("1.25", "1.25"), ("2", "2"), ('"1.5"', "1.5")])
def test_hashes_take_a_bound(pool, bound, means):
    made = pool(f'upstreams = "http://a"\nstrategy = "header-hash:X-User"\nbound = {bound}')
    assert made.strategy == f"header-hash:X-User;bound={means}"
    assert pool(f'upstreams = "http://a"\nstrategy = "{made.strategy}"').strategy == made.strategy
    assert pool('upstreams = "http://a"\nstrategy = "uri-hash"').strategy == "uri-hash"


def test_what_ejects_can_be_said_alone(pool):
    made = pool('upstreams = "http://a"\neject_on = "5xx"')
    assert made.settings.ejection == Ejection(eject_on="5xx")
    assert pool('upstreams = "http://a"').settings.ejection == Ejection(eject_on="gateway")


@pytest.mark.parametrize("weight", [1, 1000, 1001, 1_000_000])
def test_a_weight_has_one_range_however_it_is_written(pool, weight):
    text = pool(f'upstreams = ["http://a;weight={weight}", "http://b"]')
    table = pool(f'upstreams = [{{ url = "http://a", weight = {weight} }}, "http://b"]')
    assert text.upstreams == table.upstreams
    made = Pool(text.upstreams)
    assert made.upstreams[0].weight == Upstream(Address("a", 80), b"a", weight).weight == weight
    made.weigh("http://b", weight)
    assert Parent(f"http://p;weight={weight}").weight == weight


@pytest.mark.parametrize("weight", [-1, 1_000_001, True, 1.5, "1"])
def test_what_is_no_weight_is_none_in_python_either(weight):
    with pytest.raises(ConfigError, match="is no weight; accepted is 0 to 1000000"):
        Upstream(Address("a", 80), b"a", weight)
    with pytest.raises(ConfigError, match="is no weight; accepted is 0 to 1000000"):
        Pool(["http://a"]).weigh("http://a", weight)


def test_the_body_of_an_answer_to_a_check(pool):
    text = 'upstreams = "http://a"\nhealth.body = '
    assert pool(text + '"well"').settings.health.body == b"well"
    assert pool(text + '"~w.ll"').settings.health.body == re.compile(b"w.ll")


def test_pools_of_raw_streams_are_checked_by_connecting(read):
    made = read(
        '[[listeners]]\nmode="tcp"\nlisten="tcp:1"\npool="db"\n[pools.db]\nupstreams=["a:1","b:2;weight=2"]\nhealth={}'
    )
    assert made.pool("db").tcp
    assert made.pool("db").settings.health.kind == "connect"
    assert made.pool("db").upstreams == ("a:1", "b:2;weight=2")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "pools.app: upstreams is missing; accepted is a list such as"),
        ("upstreams = []", "pools.app.upstreams: there is none in it"),
        ("upstreams = 1", "pools.app.upstreams: 1 is no text"),
        ('upstreams = ["http://a", 1]', "pools.app.upstreams[1]: 1 is no text"),
        ('upstreams = ["ftp://a"]', "pools.app.upstreams[0]: 'ftp://a' is no upstream; accepted are http://HOST:PORT"),
        ('upstreams = ["http://a/b"]', "pools.app.upstreams[0]: 'http://a/b' is no upstream"),
        ('upstreams = ["http://a;wait=1"]', "pools.app.upstreams[0]: 'http://a;wait=1': 'wait=1' is no parameter"),
        ('upstreams = ["http://a", "http://a"]', "pools.app.upstreams[1]: 'http://a' is there twice"),
        ('upstreams = ["http://a", "http://a;weight=2"]', "pools.app.upstreams[1]: http://a is there twice"),
        ('upstreams = [{ weight = 2 }]', "pools.app.upstreams[0]: url is missing"),
        ('upstreams = [{ url = "http://a", wait = 2 }]', "pools.app.upstreams[0].wait: no such key (is weight"),
        ('upstreams = [{ url = "http://a", weight = -1 }]', "pools.app.upstreams[0].weight: -1 cannot be"),
        (
            'upstreams = [{ url = "http://a", weight = 1000001 }]',
            "pools.app.upstreams[0].weight: 1000001 cannot be; accepted is a whole number from 0 to 1000000",
        ),
        ('upstreams = ["http://a;weight=1000001"]', "pools.app.upstreams[0]: 'http://a;weight=1000001': "),
        ('upstreams = [{ url = "http://a", backup = 1 }]', "pools.app.upstreams[0].backup: 1 is neither"),
        ('upstreams = ["http://a", "b:1"]', "pools.app.upstreams: HOST:PORT (for tcp) and URLs (for reverse)"),
        ('strategy = "round robin"', "pools.app.strategy: 'round robin' is no strategy (is round-robin meant?)"),
        ('strategy = "header-hash:"', "pools.app.strategy: 'header-hash:' names no header"),
        ("strategy = 1", "pools.app.strategy: 1 is no text"),
        ('strategy = "uri-hash;bound=1"', "pools.app.strategy: '1' bounds no load; accepted is a number above 1"),
        ('strategy = "uri-hash"\nbound = 0.9', "pools.app.bound: '0.9' bounds no load; accepted is a number above 1"),
        ('strategy = "uri-hash"\nbound = true', "pools.app.bound: 'True' bounds no load; accepted is a number above"),
        ("bound = 1.25", "pools.app.bound: is for the hashes; accepted is strategy = 'uri-hash' with it"),
        ('strategy = "uri-hash;bound=2"\nbound = 1.25', "pools.app.bound: the strategy has one already; accepted is"),
        ("retries = -1", "pools.app.retries: -1 cannot be; accepted is a whole number from 0 to 100"),
        ('sticky = "cokie"', "pools.app.sticky: 'cokie' is no kind of affinity; accepted: cookie"),
        ('sticky_key = "0123456789abcdef"', "pools.app.sticky_key: there is no cookie to sign"),
        ('sticky = "cookie"\nsticky_key = "short"', "pools.app.sticky_key: it is too short to be a secret"),
        ("slow_start = -1", "pools.app.slow_start: '-1' is no time"),
        ("panic = 2", "pools.app.panic: 2 is no share"),
        ('queue = "many"', "pools.app.queue: 'many' cannot be"),
        ('tolerate = ["bare-cr"]', "pools.app.tolerate[0]: 'bare-cr' is not known (is bare-lf meant?)"),
        ("tolerate = []", "pools.app.tolerate: there is none in it"),
        ("queue_timeout = 0", "pools.app.queue_timeout: '0' is no time"),
        ('host = "a b"', "pools.app.host: 'a b': not a host and port; accepted is HOST, HOST:PORT, $host or upstream"),
        ("proxy_protocol = 3", "pools.app.proxy_protocol: 3 cannot be; accepted is a whole number from 1 to 2"),
        ("healt = {}", "pools.app.healt: no such key (is health meant?)"),
        ("health = true", "pools.app.health: true is no table"),
        ("health.intervall = 1", "pools.app.health.intervall: no such key (is interval meant?)"),
        ("health.interval = 100000", "pools.app.health.interval: cannot be 100000.0; accepted is more than 0"),
        ("health.rise = 0", "pools.app.health.rise: 0 cannot be; accepted is a whole number from 1 to 1000"),
        ('health.path = "h"', "pools.app.health.path: cannot be 'h'; accepted is a path"),
        ('health.expect = "1-2"', "pools.app.health.expect: cannot be '1-2'; accepted is a status"),
        ("health.expect = true", "pools.app.health.expect: true is no status"),
        ('health.body = "~("', "pools.app.health.body: '~(' is no regular expression"),
        ('health.kind = "ping"', "pools.app.health.kind: 'ping' is not known; accepted: http, grpc, connect"),
        ('health.service = "shop.Cart"', "pools.app.health.service: cannot be 'shop.Cart'; accepted is the name of a"),
        ('health = { kind = "grpc", service = "a b" }', "pools.app.health.service: cannot be 'a b'"),
        ('health = { kind = "grpc", body = "x" }', "pools.app.health.body: cannot be 'x'"),
        ('health = { kind = "connect", body = "x" }', "pools.app.health.body: cannot be 'x'"),
        ("ejection = true", "pools.app.ejection: true is no table"),
        ("ejection.share = 2", "pools.app.ejection.share: 2 is no share"),
        ('eject_on = "500"', "pools.app.eject_on: '500' is not known; accepted: gateway, 5xx"),
        ('ejection = false\neject_on = "5xx"', "pools.app.eject_on: ejection = false ejects nobody; accepted"),
        ("ejection.failures = 0", "pools.app.ejection.failures: 0 cannot be"),
        ('tls.ca = "nowhere.pem"', "pools.app.tls.ca: "),
        ('tls.key = "nowhere.pem"', "pools.app.tls.key: there is no certificate that it is for"),
        ('tls.server_name = "a b"', "pools.app.tls.server_name: "),
        ('alpn = ["h3"]', "pools.app.alpn[0]: 'h3' is not known"),
        ("alpn = []", "pools.app.alpn: there is none in it"),
        ('alpn = ["h2", "h2"]', "pools.app.alpn: 'h2' is there twice"),
        ("tls.verify = false", "pools.app.tls.verify: no such key"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(faults, text, said):
    text = text if text.startswith("upstreams") or not text else 'upstreams = "http://a"\n' + text
    found = faults(BEGIN + text)
    assert len(found) == 1, found
    assert found[0].partition(": ")[2].startswith(said)
    assert "accepted" in found[0]


def test_files_of_tls_are_read(pool, faults, tmp_path):
    (tmp_path / "ca.pem").write_bytes(new_ca().cert_pem)
    made = pool('upstreams = "https://a"\ntls = { ca = "ca.pem" }')
    assert made.settings.tls == UpstreamTls(ca_file=str(tmp_path / "ca.pem"))
    # and what is wrong with them is not said of each upstream again
    (tmp_path / "ca.pem").write_text("nothing")
    (fault,) = faults(BEGIN + 'upstreams = ["https://a", "https://b"]\ntls = { ca = "ca.pem" }')
    assert "pools.app.tls.ca: " in fault and str(tmp_path / "ca.pem") in fault and "no certificate in it" in fault


def test_strategies_that_need_requests_are_doubtful_for_raw_streams(read):
    made = read(
        '[[listeners]]\nmode="tcp"\nlisten="tcp:1"\npool="db"\n[pools.db]\nupstreams="a:1"\nstrategy="uri-hash"\nbound=2'
    )
    assert len(made.warnings) == 1 and "pools.db.strategy: uri-hash;bound=2 needs requests" in made.warnings[0]


@pytest.mark.parametrize("key", ['sticky = "ip"', 'host = "upstream"', 'alpn = "h2"'])
def test_what_needs_requests_is_refused_for_raw_streams(faults, key):
    (fault,) = faults(f'{TCP}upstreams = "a:1"\n{key}')
    assert f"pools.db.{key.partition(' ')[0]}: is for pools of URLs" in fault


def test_names_are_given_back():
    assert strategy_name("least-time") == "least-time"
    assert sticky_kind("header:X-User") == "header:X-User"
    with pytest.raises(ConfigError, match="is least-connections meant"):
        strategy_name("leastconnections")


def test_an_adaptive_limit(more, fault):
    def adaptive(value):
        return more(f"adaptive = {value}\n").pools[0].adaptive

    assert (adaptive("true"), adaptive("false")) == (AdaptiveBounds(), None)
    assert adaptive("{ min = 4, max = 9 }") == AdaptiveBounds(min=4, max=9)
    assert (
        fault("adaptive = { min = 9, max = 4 }\n")
        == "pools.app.adaptive.min: 9 is more than max; accepted is 4 at most"
    )
    assert fault("adaptive = 7\n").startswith("pools.app.adaptive: 7 is neither; accepted: true, false, { min = NUMBER")
