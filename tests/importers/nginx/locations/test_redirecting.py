"""``return`` and ``rewrite``."""

import pytest

from tests.importers.nginx.imported import location, route


@pytest.mark.parametrize(
    ("line", "table"),
    [
        ("return 204;", {"respond": 204}),
        ("return 301 /new;", {"redirect": "/new", "status": 301}),
        ("return https://b.example/;", {"redirect": "https://b.example/", "status": 302}),
        ("return 308 https://$server_name$request_uri;", {"redirect": "https://a.example$path?$query", "status": 308}),
        ("return 200 ok;", {"respond": {"status": 200, "headers": {"Content-Type": "text/plain"}, "body": "ok"}}),
        ("default_type a/b; return 404 no;",
         {"respond": {"status": 404, "headers": {"Content-Type": "a/b"}, "body": "no"}}),
        ("rewrite ^ https://b.example$request_uri? permanent;",
         {"redirect": "https://b.example$path?$query", "status": 301}),
        ("rewrite ^/(.*)$ https://b.example/$1 permanent;",
         {"rewrite": {"pattern": "/(.*)", "replacement": "/$1"}, "redirect": "https://b.example$path?$query",
          "status": 301}),
        ("rewrite ^/a/(.*)$ /b/$1 redirect;",
         {"rewrite": {"pattern": "/a/(.*)", "replacement": "/b/$1"}, "redirect": "$path?$query", "status": 302}),
        ("rewrite ^/(a)/(b)$ http://$host/$2?;", {"rewrite": {"pattern": "/(a)/(b)", "replacement": "/$2"},
                                                    "redirect": "http://$host$path", "status": 302}),
    ],
)  # fmt: skip
def test_it_is_answered_as_nginx_does(line, table):
    found, (one, *_) = location(f"{line} return 404;")
    assert {key: said for key, said in one.items() if key in table} == table and found.notes == []


def test_a_connection_is_not_closed_without_a_word():
    found, (one,) = location("return 444;")
    assert one["respond"] == 403 and "taken over as 403" in found.notes[0]


def test_a_text_that_depends_on_the_request_cannot_be_said():
    found, (one,) = location("return 200 $remote_addr;")
    assert one["respond"] == 501
    assert found.notes == ["return: answered with 501: $remote_addr is not known before a request comes"]


def test_the_port_of_a_host_is_left_out_with_a_line():
    found, (one,) = location("return 301 https://$http_host/;")
    assert one["redirect"] == "https://$host/" and found.notes == ["return: $http_host is taken over without its port"]


def test_a_query_behind_another_cannot_be_said():
    found, _ = location("rewrite ^/(a) /b?c=$1 permanent;")
    assert found.notes[0] == "rewrite: it is left out: the query cannot be put behind another one here"


def test_content_type_may_be_an_added_field():
    assert route("add_header Content-Type application/json; return 200 '{}';")["respond"]["headers"] == {
        "Content-Type": "application/json"
    }
