"""Whether the parts of a file fit together."""

import pytest

from txproxy.config import TcpListener

POOLS = """
[pools.app]
upstreams = "http://10.0.0.1"
[pools.db]
upstreams = "10.0.0.1:5432"
"""


def route(name, *more):
    return "\n".join([f'[[routes]]\nname = "{name}"\npath = "/{name}"\nrespond = 200', *more, ""])


def web(name="web", *more, port=8080):
    return "\n".join([f'[[listeners]]\nname = "{name}"\nlisten = "tcp:{port}"', *more, ""])


def routes_of(config):
    return {listener.name: listener.routes for listener in config.listeners}


def test_routes_that_name_no_listener_are_for_all_that_name_no_route(read):
    config = read(web("a", port=1) + web("b", 'routes = ["y"]', port=2) + route("x") + route("y") + POOLS)
    assert routes_of(config) == {"a": ("x", "y"), "b": ("y",)}
    assert [one.name for one in config.routes_of(config.listeners[1])] == ["y"]


def test_routes_are_for_the_listeners_that_they_name(read):
    more = web("c", 'routes = ["x"]', port=3)
    config = read(web("a", port=1) + web("b", port=2) + more + route("x") + route("y", 'listeners = ["b", "c"]'))
    assert routes_of(config) == {"a": ("x",), "b": ("x", "y"), "c": ("x", "y")}


def test_routes_are_in_the_order_in_which_they_are_written(read):
    assert routes_of(read(web("a", 'routes = ["y", "x"]') + route("x") + route("y"))) == {"a": ("x", "y")}


def test_names_that_nobody_has_are_found(faults):
    text = web("a", 'routes = ["x", "z"]') + route("x", 'listeners = ["b"]') + POOLS
    assert [line.partition(": ")[2] for line in faults(text)] == [
        "listeners[0].routes: there is no route 'z'; accepted: x",
        "routes[0].listeners: there is no listener 'b'; accepted: a",
    ]


def test_only_reverse_listeners_have_routes(faults):
    text = (
        web("a", port=1) + web("t", 'mode = "tcp"\npool = "db"', port=2) + route("x", 'listeners = ["a", "t"]') + POOLS
    )
    (line,) = faults(text)
    assert "routes[0].listeners: listener 't' has no routes" in line


def test_names_are_there_once(faults):
    text = web("a", port=1) + web("a", port=2) + route("x") + '[[routes]]\nname = "x"\npath = "/other"\nrespond = 200\n'
    found = [line.partition(": ")[2] for line in faults(text)]
    assert found[0].startswith("listeners[1].name: 'a' is there already")
    assert found[1].startswith("routes[1].name: 'x' is there already")


def test_two_listeners_take_not_the_same_address(faults):
    text = web("a", 'tls_listen = "unix:/run/x"\ncertificates = []', port=1)
    found = faults(text + web("b", port="1:interface=127.0.0.1") + route("x"))
    assert any(
        "listeners[1].listen[0]: tcp:1:interface=127.0.0.1 is taken by tcp:1 of listener 'a'" in line for line in found
    )
    (line,) = faults('[[listeners]]\nname = "a"\nlisten = ["tcp:1", "tcp:1"]\n' + route("x"))
    assert "listeners[0].listen[1]: tcp:1 is taken by tcp:1 of listener 'a'" in line


def test_pools_and_routes_that_nobody_uses_are_doubtful(read):
    config = read(web("a", 'routes = ["x"]') + route("x") + route("y") + POOLS)
    assert [warning.partition(": ")[2] for warning in config.warnings] == [
        "routes[1]: no listener uses the route 'y'",
        "pools.app: no listener and no route uses this pool",
        "pools.db: no listener and no route uses this pool",
    ]
    assert ":9: routes[1]: " in config.warnings[0]


@pytest.mark.parametrize(
    ("listener", "more", "said"),
    [
        (
            "",
            "hsts = true",
            "routes[0].hsts: no listener of this route speaks TLS, or trusts a proxy that may: it is ne",
        ),
        ('trusted_proxies = ["10.0.0.0/8"]', "hsts = true", None),
        # It is in place of the listener's.
        ('limits = { max_body_size = "1M" }', 'max_body = "2M"', None),
    ],
)
def test_what_no_listener_of_a_route_can_do_is_doubtful(read, listener, more, said):
    pool = '[pools.app]\nupstreams = "http://10.0.0.1"\n'
    config = read(web("a", listener) + f'[[routes]]\nname = "x"\npool = "app"\n{more}\n' + pool)
    told = [line.partition(": ")[2] for line in config.warnings]
    assert [line[: len(said or "")] for line in told] == ([said] if said else [])


def test_a_pool_is_used_wherever_it_is_named(read):
    uses = ['tunnel = "db"', 'pool = "app"', 'pool = "a"\nmirror = "b"\nauth = { pool = "c" }']
    text = web("a") + "".join(f'[[routes]]\nname = "{n}"\npath = "/{n}"\n{use}\n' for n, use in enumerate(uses))
    text += web("t", 'mode = "tcp"\nsni = { "a.example" = "t" }', port=2)
    pools = "".join(f'[pools.{name}]\nupstreams = "http://{name}"\n' for name in "abc")
    config = read(text + POOLS + pools + '[pools.t]\nupstreams = "a:1"\n')
    assert config.warnings == ()
    assert isinstance(config.listeners[1], TcpListener)


@pytest.mark.parametrize("use", ['pool = "db"', 'pool = "app"\nmirror = "db"', 'pool = "app"\nauth = { pool = "db" }'])
def test_requests_go_to_pools_that_take_requests(faults, use):
    (line,) = faults(web("a") + f'[[routes]]\nname = "x"\n{use}\n' + POOLS)
    assert "pool 'db' has upstreams such as HOST:PORT, for tcp; accepted is one with URLs, for reverse" in line


def test_a_tunnel_goes_to_either(read):
    for pool in ("app", "db"):
        read(web("a") + f'[[routes]]\nname = "x"\ntunnel = "{pool}"\n' + POOLS)


def test_routes_that_can_never_be_taken_are_found_once(faults):
    two = '[[routes]]\nname = "x"\nrespond = 200\n[[routes]]\nname = "y"\nrespond = 200\n'
    (line,) = faults(web("a", port=1) + web("b", port=2) + two)
    assert line.startswith("10: routes[1]: route 'y' can never be taken: 'x' matches all that it does")


def test_a_route_whose_match_is_wrong_stands_in_nobodys_way(faults):
    (line,) = faults(web("a") + '[[routes]]\nname = "x"\npath = "/x/*"\nrespond = 200\n' + route("y"))
    assert "routes[0].path: '/x/*'" in line


def test_shares_are_complete(faults):
    (line,) = faults(web("a") + '[[routes]]\nname="x"\nrespond=200\nweight=1\n[[routes]]\nname="y"\nrespond=200\n')
    assert "routes[0]: routes 'x' and 'y' match the same, and not all have a weight" in line


# -- circles


def pool(name, *upstreams):
    return f"[pools.{name}]\nupstreams = {list(upstreams)}\n"


def test_a_pool_that_leads_back_is_a_circle(faults):
    (line,) = faults(web("a", 'pool = "p"') + pool("p", "http://10.0.0.1", "http://localhost:8080;backup"))
    assert line.startswith(
        "1: listeners[0]: requests would go in a circle: listener 'a' -> pool 'p' (http://localhost:8080;backup) -> "
        "listener 'a'; accepted are upstreams that do not lead back"
    )


def test_a_longer_circle_is_said_once(faults):
    text = web("a", 'pool = "p"', port=1) + web("b", port=2) + web("c", 'mode = "tcp"\npool = "r"', port=3)
    text += '[[routes]]\nname = "x"\npath = "/x"\npool = "q"\nlisteners = "b"\n'
    (line,) = faults(
        text + pool("p", "http://127.0.0.1:2") + pool("q", "http://127.0.0.1:3") + pool("r", "localhost:1")
    )
    assert (
        "listener 'a' -> pool 'p' (http://127.0.0.1:2) -> listener 'b' -> pool 'q' (http://127.0.0.1:3) -> "
        "listener 'c' -> pool 'r' (localhost:1) -> listener 'a'"
    ) in line


def test_a_circle_through_a_unix_socket(faults):
    text = '[[listeners]]\nname = "a"\nlisten = "unix:/run/a:mode=600"\npool = "p"\n' + pool("p", "unix:/run/a")
    assert "in a circle" in faults(text)[0]


def test_a_chain_is_no_circle(read):
    text = web("a", 'pool = "p"', port=1) + web("b", 'pool = "q"', port="2:interface=127.0.0.1")
    assert read(text + pool("p", "http://127.0.0.1:2") + pool("q", "http://127.0.0.1:3", "http://10.0.0.1:1"))
