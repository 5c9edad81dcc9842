"""Fields that are set, hidden and added."""

import pytest

from tests.importers.nginx.imported import location, route
from txproxy.importers.nginx.locations.header_lines import PASSES_UPGRADES
from txproxy.importers.nginx.nginx_translation import translate

PASS = "proxy_pass http://127.0.0.1:1;"


@pytest.mark.parametrize(
    "line",
    [
        "X-Real-IP $remote_addr", "X-Forwarded-For $proxy_add_x_forwarded_for", "X-Forwarded-Proto $scheme",
        "X-Forwarded-Proto http", "X-Forwarded-Host $host", "Upgrade $http_upgrade", "Connection upgrade",
        'Connection ""', "X-Forwarded-Host $http_host",
    ],
)  # fmt: skip
def test_what_is_sent_in_any_case_needs_no_word(line):
    found, (one,) = location(f"{PASS} proxy_set_header {line};")
    assert "request_headers" not in one and found.notes == []


@pytest.mark.parametrize(
    ("line", "table"),
    [
        ("X-Team 'blue green'", {"set": {"X-Team": "blue green"}}),
        ("X-Client $remote_addr:$scheme", {"set": {"X-Client": "$client_ip:http"}}),
        ('Accept-Encoding ""', {"remove": ["Accept-Encoding"]}),
        ("X-Forwarded-Port $server_port", {"set": {"X-Forwarded-Port": "8080"}}),
        ("X-Forwarded-Ssl on", {"set": {"X-Forwarded-Ssl": "on"}}),
        ("X-Price 5$", {"set": {"X-Price": "5$$"}}),
    ],
)
def test_fields_for_servers_are_set_and_removed(line, table):
    assert route(f"{PASS} proxy_set_header {line};")["request_headers"] == table


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("X-Forwarded-Proto https", "the proxy writes it of each client"),
        ("X-Real-IP $http_x_client", "the proxy writes it of each client"),
        ("X-Id $request_id", "$request_id is not known here"),
        ("Via x", "is for the proxy itself to say"),
        ("X", "a name and a value are wanted"),
    ],
)
def test_what_cannot_be_set_has_a_line(line, why):
    found, _ = location(f"{PASS} proxy_set_header {line};")
    assert len(found.notes) == 1 and why in found.notes[0]


def test_that_upgrades_pass_where_nginx_has_them_not_is_told():
    text = "server {{ listen 80; location / {{ proxy_pass http://127.0.0.1:1; {} }} }}"
    assert translate(text.format(""), "x").notes == (f"x: proxy_pass: {PASSES_UPGRADES}",)
    assert translate(text.format("proxy_set_header Upgrade $http_upgrade;"), "x").notes == ()


def test_fields_are_inherited_where_there_are_none():
    more = "proxy_set_header X-A 1; add_header X-B 2 always;"
    one = route(PASS, more=more)
    assert one["request_headers"] == {"set": {"X-A": "1"}} and one["response_headers"] == {"add": {"X-B": "2"}}
    one = route(f"{PASS} proxy_set_header X-C 3; add_header X-D 4 always;", more=more)
    assert one["request_headers"] == {"set": {"X-C": "3"}} and one["response_headers"] == {"add": {"X-D": "4"}}
