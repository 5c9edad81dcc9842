"""Where code stands that a configuration names."""

import attrs
import pytest
from twisted.internet.task import Clock

from txproxy.config.own_code.code_around import CodeAround
from txproxy.config.own_code.placing import at_listener, code_of, with_code
from txproxy.config.toml.file import parse
from txproxy.errors import ConfigError
from txproxy.interfaces import Headers, RequestHead
from txproxy.reverse import Respond
from txproxy.testing import context_of

TEXT = """python_path = "."
[[listeners]]
mode = "forward"
listen = "tcp:81"
before = "own_hooks:deny"
[[listeners.rules]]
action = "allow"
after = "own_hooks:mark"
[[listeners]]
listen = "tcp:80"
[[routes]]
name = "r"
path = "/r"
respond = {{ status = 204 }}
before = "own_hooks:deny"
middleware = {{ use = "own_hooks:Team", name = "{}" }}
"""


def test_what_stands_around_an_action_is_asked_first(own):
    config = parse(TEXT.format("blue"), str(own / "proxy.toml"))
    action = with_code(Respond(204), config.routes[0], config, Clock())
    context = context_of()
    later = action.plan(RequestHead(b"GET", b"/admin", Headers()), context)
    answers = []
    later.addCallback(answers.append)
    assert answers[0].status == 403 and len(context.response_filters) == 1
    later = action.plan(RequestHead(b"GET", b"/", Headers()), context_of())
    later.addCallback(answers.append)
    assert answers[1].status == 204
    plain = Respond(204)
    assert with_code(plain, attrs.evolve(config.routes[0], around=CodeAround()), config, Clock()) is plain


def test_what_cannot_be_made_names_the_route(own):
    config = parse(TEXT.format("too long"), str(own / "proxy.toml"))
    with pytest.raises(
        ConfigError, match=r"routes\[0\].middleware\[0\]: 'own_hooks:Team' cannot be called: ValueError"
    ):
        with_code(Respond(204), config.routes[0], config, Clock())


def test_listeners_and_rules(own):
    forward, reverse = parse(TEXT.format("blue"), str(own / "proxy.toml")).listeners
    assert [type(one).__name__ for one in code_of(forward, Clock())] == ["Hooks", "MiddlewareByRule"]
    assert code_of(reverse, Clock()) == ()


def test_what_is_wrong_with_a_rule_or_a_route_is_told_there(own):
    text = TEXT.format("blue").replace(
        'after = "own_hooks:mark"', 'middleware = { use = "own_hooks:Team", name = "too long" }'
    )
    listener = parse(text, str(own / "proxy.toml")).listeners[0]
    with pytest.raises(ConfigError) as fault:
        code_of(listener, Clock())
    assert [one.path for one in at_listener(fault.value, 3).findings] == [("listeners", 3, "rules", 0, "middleware", 0)]
    assert at_listener(ConfigError("a", path=("routes", 1)), 3).findings[0].path == ("routes", 1)
