"""Asks a condition about a request."""

from txproxy.forward.access.conditions.condition_type import Surroundings
from txproxy.forward.access.conditions.condition_types import CONDITION_TYPES
from txproxy.forward.access.conditions.rule_conditions import parse_condition
from txproxy.forward.request.facts import Facts
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

BY_KEY = {kind.key: kind for kind in CONDITION_TYPES}


def condition(key, value):
    negated = key.startswith("not_")
    return parse_condition(BY_KEY[key.removeprefix("not_")], negated, value)


def request(**given):
    head = RequestHead(
        given.pop("method", b"GET"),
        given.pop("path", "/").encode(),
        Headers(given.pop("headers", ())),
        scheme=given.pop("scheme", b"http"),
    )
    fields = {"client_ip": "127.0.0.1", "host": "example.com", "port": 80, **given}
    return Facts(head, **fields)


def fits(key, value, facts, every=False, **surroundings):
    return condition(key, value).test(Surroundings(**surroundings), every)(facts)
