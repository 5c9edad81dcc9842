"""Conditions that hold together, and what is known of a server."""

import pytest

from tests.importers.nginx.imported import location, server
from txproxy.importers.nginx.nginx_sites import joined, weight_of
from txproxy.importers.notes import Untranslatable


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ({}, {"methods": ["GET"]}, {"methods": ["GET"]}),
        ({"methods": ["GET", "PUT"]}, {"methods": ["PUT"]}, {"methods": ["PUT"]}),
        ({"headers": {"a": "1"}}, {"headers": {"b": "2"}}, {"headers": {"a": "1", "b": "2"}}),
        ({"clients": ["::1"]}, {"clients": ["::1"]}, {"clients": ["::1"]}),
    ],
)
def test_conditions_are_joined(one, other, both):
    assert joined(one, other) == both


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"methods": ["GET"]}, {"methods": ["PUT"]}),
        ({"clients": ["10.0.0.0/8"]}, {"clients": ["10.0.0.1"]}),
        ({"headers": {"a": "1"}}, {"headers": {"a": "2"}}),
        ({"~path": "/a"}, {"~path": "/b"}),
    ],
)
def test_what_a_route_cannot_say_is_told(one, other):
    with pytest.raises(Untranslatable, match="two conditions on"):
        joined(one, other)


def test_a_host_is_no_condition_to_be_counted():
    assert weight_of({"hosts": ["a"], "methods": ["GET"], "headers": {"a": "1", "b": "2"}}) == 3


@pytest.mark.parametrize(
    ("text", "said"), [("$server_name", "a.example"), ("$server_port", "8080"), ("$scheme", "http")]
)
def test_what_is_known_of_a_server_is_filled_in(text, said):
    (one,) = server(f"return 200 '{text}';").routes
    assert one["respond"]["body"] == said


def test_a_trusted_proxy_may_say_that_its_client_speaks_tls():
    _, (one,) = location("return 301 $scheme://x.example/;", more="real_ip_header X-Forwarded-For;")
    assert one["redirect"] == "$scheme://x.example/"


def test_what_cannot_be_said_is_answered_and_told():
    found, (one,) = location("fastcgi_pass 127.0.0.1:9000;")
    assert one["respond"] == 501
    assert found.notes == [
        "location: answered with 501: FastCGI is not spoken here: a server of HTTP has to stand before it"
    ]
