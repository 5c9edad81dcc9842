"""Conditions that hold together, and what is known of a server."""

import pytest

from tests.importers.nginx.imported import location, server
from txproxy.importers.nginx.nginx_sites import joined, joined_all, weight_of
from txproxy.importers.notes import Untranslatable


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ({}, {"methods": ["GET"]}, {"methods": ["GET"]}),
        ({"methods": ["GET", "PUT"]}, {"methods": ["PUT"]}, {"methods": ["PUT"]}),
        ({"headers": {"a": "1"}}, {"headers": {"b": "2"}}, {"headers": {"a": "1", "b": "2"}}),
        ({"clients": ["::1"]}, {"clients": ["::1"]}, {"clients": ["::1"]}),
        ({"~path": "/a.*"}, {"~path": ".*b"}, {"~path": "(?=/a.*$)(?:.*b)"}),
    ],
)
def test_conditions_are_joined(one, other, both):
    assert joined(one, other) == both


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"clients": ["10.0.0.0/8"]}, {"clients": ["10.0.0.1"]}),
        ({"headers": {"a": "1"}}, {"headers": {"a": "2"}}),
        ({"~path": "(?i)/a"}, {"~path": "/b"}),
    ],
)
def test_what_a_route_cannot_say_is_told(one, other):
    with pytest.raises(Untranslatable, match="two conditions on"):
        joined(one, other)


def test_what_no_request_can_have_together_is_no_route():
    post, put = {"methods": ["POST"]}, {"methods": ["PUT"]}
    assert joined_all(post, [(put, {"respond": 1}), ({}, {"respond": 2})]) == [(post, {"respond": 2})]
    lines = "if ($request_method = POST) { set $a 1; } if ($request_method = PUT) { return 403; } return 204;"
    found, routes = location(lines)
    assert [(one.get("methods"), one["respond"]) for one in routes] == [
        (["POST"], 204), (["PUT"], 403), (None, 204)
    ]  # fmt: skip
    assert found.notes == []


def test_what_stands_where_it_cannot_be_said_has_one_line():
    inner = "location /x { frobnicate; proxy_pass http://127.0.0.1:1; }"
    found, _ = location(f"fastcgi_pass 127.0.0.1:9000; fastcgi_param A b; gzip on; {inner}")
    assert [note.split(":")[0] for note in found.notes] == ["location", "frobnicate"]


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
