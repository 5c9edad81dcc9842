"""Short functions and middleware that a file names, at listeners, routes and rules."""

import pytest
from twisted.internet.task import Clock

from txproxy.components.named_code import NamedCode
from txproxy.config.own_code.code_around import CodeAround, HookConfig
from txproxy.config.own_code.hooks import make_around
from txproxy.config.toml.file import parse
from txproxy.errors import ConfigError
from txproxy.proxy.hooks.hooks_middleware import Hooks

TEXT = """python_path = "."
[[listeners]]
listen = "tcp:80"
pool = "app"
{}
[[listeners]]
mode = "forward"
listen = "tcp:81"
[[listeners.rules]]
action = "allow"
{}
[[routes]]
name = "r"
path = "/r"
pool = "app"
{}
[pools.app]
upstreams = "http://10.0.0.1"
"""


def read(own, listener="", rule="", route=""):
    return parse(TEXT.format(listener, rule, route), str(own / "proxy.toml"))


def test_they_are_read_at_each_place(own):
    text = (
        'before = ["own_hooks:deny", { use = "own_hooks:deny", path = "/x", timeout = "2s" }]\n'
        'after = "own_hooks:mark"\nmiddleware = { use = "own_hooks:Team", name = "blue" }'
    )
    config = read(own, text, text, text)
    expected = CodeAround(
        middleware=(NamedCode("own_hooks:Team", {"name": "blue"}),),
        before=(
            HookConfig(code=NamedCode("own_hooks:deny")),
            HookConfig(code=NamedCode("own_hooks:deny", {"path": "/x"}), timeout=2.0),
        ),
        after=(HookConfig(code=NamedCode("own_hooks:mark")),),
    )
    assert config.listeners[0].around == config.routes[0].around == expected
    assert config.listeners[1].rules_around == (("rule 1", expected),)
    assert read(own).listeners[0].around == CodeAround() and not CodeAround()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('before = "own_hooks:mark"', "before: 'own_hooks:mark' needs response; accepted"),
        (
            'after = "own_hooks:deny"',
            "after: 'own_hooks:deny' takes other arguments; accepted is a function of a request",
        ),
        ('after = "own_hooks:two"', "after: 'own_hooks:two' needs more; accepted is { use = 'own_hooks:two', more"),
        ('before = "own_hooks:Team"', "before: 'own_hooks:Team' is no function; accepted is a function of a request"),
        (
            'before = { use = "own_hooks:deny", pth = "/" }',
            "before.pth: 'own_hooks:deny' has no such setting (is path me",
        ),
        ('before = { use = "own_hooks:deny", status = "a" }', "before.status: 'a' is none; accepted is a whole number"),
        ('before = { path = "/" }', "before: use is missing; accepted is the name of it"),
        ('before = { use = "own_hooks:deny", timeout = 0 }', "before.timeout: "),
        ('before = ["own_hooks:deny", "own_hooks:no"]', "before[1]: 'own_hooks:no': own_hooks has no no"),
        ('middleware = "own_hooks:Team"', "middleware: 'own_hooks:Team' needs name; accepted is { use ="),
    ],
)
def test_what_is_wrong_is_told_with_its_place(own, text, said):
    for place, (where, line) in enumerate([("listeners[0]", 5), ("listeners[1].rules[0]", 11), ("routes[0]", 16)]):
        words = [""] * 3
        words[place] = text
        with pytest.raises(ConfigError) as fault:
            read(own, *words)
        assert str(fault.value).startswith(f"{own}/proxy.toml:{line}: {where}.{said}")
        assert "\n" not in str(fault.value)


def test_what_is_asked_of_connections_has_no_place_at_a_route(own):
    with pytest.raises(ConfigError, match="is asked of connections, and here are requests alone; accepted is it at a"):
        read(own, route='middleware = "own_hooks:Gate"')
    read(own, 'middleware = "own_hooks:Gate"')


def test_a_rule_that_denies_lets_nothing_through(own):
    text = TEXT.replace('"allow"', '"deny"').format("", 'before = "own_hooks:deny"', "")
    with pytest.raises(ConfigError, match=r"rules\[0\].before: has no effect with deny; accepted is it with allow"):
        parse(text, str(own / "proxy.toml"))


def test_they_are_made_in_order_and_what_cannot_be_is_told_with_its_place(own):
    read(own, 'before = "own_hooks:deny"')
    team, hook = NamedCode("own_hooks:Team", {"name": "blue"}), HookConfig(code=NamedCode("own_hooks:deny"))
    first, second = make_around(CodeAround(middleware=[team], before=(hook,)), Clock())
    assert first.name == "blue" and isinstance(second, Hooks)
    assert make_around(CodeAround(), Clock()) == ()
    wrong = CodeAround(
        middleware=[NamedCode("own_hooks:Team", {"name": "too long"})], after=(hook, hook), before=(hook,)
    )
    with pytest.raises(ConfigError) as fault:
        make_around(wrong, Clock())
    assert [one.path for one in fault.value.findings] == [("middleware", 0), ("after", 0), ("after", 1)]
    assert "'own_hooks:Team' cannot be called: ValueError: Length of 'name' must be <= 5: 8; accepted" in str(
        fault.value
    )
