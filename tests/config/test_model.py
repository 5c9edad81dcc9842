"""What a configuration says of itself, and that it is data."""

import pathlib
import pickle

import attrs
import pytest

from tests.config.everything import write_everything
from tests.config.toml.documents import DOCUMENTS, toml
from txproxy.config.model import (
    AuthConfig,
    BoundsConfig,
    Config,
    ForwardListener,
    MirrorConfig,
    PoolConfig,
    ReverseListener,
    RouteConfig,
    TcpListener,
)
from txproxy.config.sources.toml_text import tables_of
from txproxy.config.toml.file import load, parse
from txproxy.config.toml.tables import Findings
from txproxy.limits.quotas import Quota
from txproxy.reverse.route_actions.files_action import FilesAction
from txproxy.reverse.route_actions.pool_action import PoolAction
from txproxy.reverse.route_actions.tunnel_action import TunnelAction

EXAMPLES = sorted((pathlib.Path(__file__).parents[2] / "docs" / "examples").glob("*.toml"))


@pytest.mark.parametrize(
    ("more", "pools"),
    [
        ({"action": PoolAction(pool="a")}, ("a",)),
        ({"action": TunnelAction(pool="a")}, ("a",)),
        ({"action": FilesAction(directory="/srv")}, ()),
        ({"action": FilesAction(directory="/srv"), "auth": AuthConfig(pool="b")}, ("b",)),
        (
            {"action": PoolAction(pool="a"), "auth": AuthConfig(pool="b"), "mirror": MirrorConfig(pool="c")},
            tuple("abc"),
        ),
    ],
)
def test_a_route_names_the_pools_that_it_needs(more, pools):
    assert RouteConfig(name="r", **more).pools == pools


def test_a_listener_of_streams_names_the_pools_that_it_needs():
    sni = (("x.example", "b"), ("y.example", "c"))
    assert TcpListener(pool="a", sni=sni).pools == ("a", "b", "c")
    assert TcpListener(sni=sni).pools == ("b", "c")


def test_endpoints_are_plain_ones_first_and_each_has_its_path():
    listener = ReverseListener(listen=("tcp:1", "tcp:2"), tls_listen=("tcp:3",))
    assert listener.endpoints == ("tcp:1", "tcp:2", "tcp:3")
    assert listener.entrance_paths == [
        ("tcp:1", ("listen", 0)),
        ("tcp:2", ("listen", 1)),
        ("tcp:3", ("tls_listen", 0)),
    ]


def test_where_it_was_read_makes_no_other_configuration():
    listener = ForwardListener(listen=("tcp:1",))
    one = Config(listeners=(listener,))
    other = Config(listeners=(listener,), source="edge.toml", places={(): 1}, warnings=("x",))
    assert one == other
    assert one != Config(listeners=(listener,), access_log="-")


def test_pools_and_routes_are_found_by_their_names():
    pools = tuple(PoolConfig(name=name, upstreams=("http://a",)) for name in "ab")
    routes = tuple(RouteConfig(name=name, action=PoolAction(pool="a")) for name in "xyz")
    # The order is that of the routes: the first that matches is taken.
    listener = ReverseListener(routes=("z", "x"))
    config = Config(listeners=(listener,), pools=pools, routes=routes)
    assert config.pool("b") is pools[1]
    assert config.routes_of(listener) == (routes[0], routes[2])


def test_the_key_of_cookies_is_not_shown():
    assert "s3cret" not in repr(PoolConfig(upstreams=("http://a",), sticky_key=b"s3cret"))


@pytest.mark.parametrize(
    ("bounds", "any_bounds"),
    [
        (BoundsConfig(), False),
        (BoundsConfig(ipv6_prefix=48), False),
        (BoundsConfig(usage_file="usage.db"), True),
        (BoundsConfig(quotas=(Quota(day=1),)), True),
    ],
)
def test_bounds_that_bound_nothing_are_none(bounds, any_bounds):
    assert bool(bounds) is any_bounds


def test_it_cannot_be_changed():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Config(listeners=()).access_log = "-"


# -- data


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    return write_everything(tmp_path_factory.mktemp("everything"))


@pytest.fixture(params=[*EXAMPLES, None], ids=lambda file: file.name if file else "everything.toml")
def file(request, everything):
    return str(request.param or everything)


def keys(value, path=""):
    """All keys of what TOML means, as ``Findings.asked`` has them."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (name := f"{path}.{'NAME' if path == 'pools' else key}".removeprefix("."))
            yield from keys(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner, f"{path}[]")


def test_the_file_of_everything_has_each_key(everything):
    findings = Findings()
    text = everything.read_text()
    parse(text, str(everything), findings)
    written = set(keys(tables_of(text, "")))
    asked = {key for key in findings.asked if not key.startswith("listeners[].limits.")}
    assert len(asked) > 200
    assert not asked - written
    # Nor is there another kind of table.
    others = Findings()
    for document in DOCUMENTS.values():
        try:
            parse(toml(document), str(everything), others)
        except ValueError:
            pass
    assert not others.asked.keys() - findings.asked.keys()


def test_a_file_that_is_read_twice_is_the_same_configuration(file):
    assert load(file) == load(file)
    assert hash(load(file)) == hash(load(file)), "nothing in it can change"


def test_a_configuration_goes_through_a_pickle(file):
    config = load(file)
    again = pickle.loads(pickle.dumps(config))
    assert again == config
    assert again.warnings == config.warnings and again.source == config.source
    assert config.opened == [] or again.opened == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('["ads.txt", {', "[{"),
        ('work = "ads.txt"', 'work = "./ads.txt"'),
        ("example;weight=2", "example;weight=3"),
        ('parent_check_interval = "10s"', 'parent_check_interval = "9s"'),
        ("audit.json", "log.json"),
        ('remember = "1m"', 'remember = "2m"'),
        ("~/b[0-9]", "~/b[0-8]"),
        ("new.example/{1}", "new.example/{1}x"),
        ("/user/$1", "/users/$1"),
        ("~y.*", "~y"),
        ('down = "1M"', 'down = "2M"'),
        ("~ok[0-9]", "~ok"),
        (
            'Nothing", { use = "tests.config.everything:Marked", mark = "m" }]',
            'Nothing", { use = "tests.config.everything:Marked", mark = "n" }]',
        ),
        ('python_path = "."', "python_path = []"),
    ],
)
def test_whatever_changes_makes_another_configuration(everything, old, new):
    text = everything.read_text()
    assert text.count(old) == 1
    assert parse(text.replace(old, new), str(everything)) != load(str(everything))
