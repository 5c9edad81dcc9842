"""What a request must have besides host and path."""

import pytest

from txproxy.errors import ConfigError
from txproxy.reverse.routing.conditions import Clients, HeaderField, Methods, QueryField, Wanted
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

CLIENT = context_of("192.0.2.7")


def request(method=b"GET", path=b"/", fields=()):
    return RequestHead(method, path, Headers(fields))


def test_methods_are_compared_with_case():
    methods = Methods.parse(["GET", "PURGE", "odd"])
    assert [
        name for name in (b"GET", b"get", b"PURGE", b"odd", b"ODD", b"HEAD") if methods.holds(request(name), CLIENT)
    ] == [
        b"GET",
        b"PURGE",
        b"odd",
        b"HEAD",
    ]
    assert methods.why(request(b"POST"), CLIENT) == "method is POST, accepted are GET, HEAD, PURGE, odd"


def test_head_goes_with_get_and_not_the_other_way_round():
    assert Methods.parse(["GET"]).holds(request(b"HEAD"), CLIENT)
    assert not Methods.parse(["HEAD", "POST"]).holds(request(b"GET"), CLIENT)
    assert Methods.parse(["GET"]).covers(Methods.parse(["HEAD"]))


def test_a_method_that_would_match_nothing_is_refused():
    with pytest.raises(ConfigError, match="accepted is GET"):
        Methods.parse(["get"])
    for name in ("", "GE T", "GÉT"):
        with pytest.raises(ConfigError, match="accepted are names"):
            Methods.parse([name])


@pytest.mark.parametrize(
    ("value", "fields", "why"),
    [
        (True, [(b"X-Beta", b"")], ""),
        (True, [], "header x-beta is missing"),
        ("yes", [(b"x-BETA", b"yes")], ""),
        ("yes", [(b"X-Beta", b"Yes")], "header x-beta is 'Yes', not what is wanted"),
        ("", [(b"X-Beta", b"")], ""),
        ("~ye[sp]", [(b"X-Beta", b"yep")], ""),
        ("~ye[sp]", [(b"X-Beta", b"yeps")], "header x-beta is 'yeps', no match of what is wanted"),
        # repeated ones are one value (RFC 9110 5.2)
        ("yes", [(b"X-Beta", b"yes"), (b"X-Beta", b"no")], "header x-beta is 'yes, no', not what is wanted"),
        ("~.*yes.*", [(b"X-Beta", b"no"), (b"X-Beta", b"yes")], ""),
        ("é", [(b"X-Beta", "é".encode())], ""),
        ("x", [(b"X-Beta", b"\xff")], "header x-beta is '\\\\xff', not what is wanted"),
    ],
)
def test_header_fields(value, fields, why):
    field = HeaderField.parse("X-Beta", value)
    head = request(fields=fields)
    assert field.holds(head, CLIENT) is (why == "")
    if why:
        assert field.why(head, CLIENT) == why


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("", "x", "'' is no field name"),
        ("x beta", "x", "'x beta' is no field name"),
        ("x:", True, "no field name"),
        ("x", "a\nb", "x: this can be no field's value"),
        ("x", " a", "can be no field's value"),
        ("x", "~(", r"x: '~\(' is no regular expression: missing \)"),
        ("x", False, "x: False is nothing to compare with"),
        ("x", 5, "x: 5 is nothing to compare with"),
    ],
)
def test_what_is_no_header_condition_is_refused(name, value, fault):
    with pytest.raises(ConfigError, match=fault) as caught:
        HeaderField.parse(name, value)
    assert "accepted is" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "query", "why"),
    [
        (True, b"?debug", ""),
        (True, b"?debug=", ""),
        (True, b"?a=1&debug=1", ""),
        (True, b"?a=debug", "query parameter debug is missing"),
        (True, b"", "query parameter debug is missing"),
        (True, b"?", "query parameter debug is missing"),
        (True, b"?&&=&", "query parameter debug is missing"),
        (True, b"?Debug", "query parameter debug is missing"),
        (True, b"?x?debug", "query parameter debug is missing"),
        ("", b"?debug", ""),
        ("a b&c", b"?debug=a+b%26c", ""),
        ("a b", b"?%64ebug=a%20b", ""),
        ("1", b"?debug=0&debug=1", ""),
        ("1", b"?debug=0&debug=2", "query parameter debug is '0' and '2', not what is wanted"),
        ("=", b"?debug==", ""),
        ("%", b"?debug=%", ""),
        ("~[0-9]+", b"?debug=12", ""),
        ("~[0-9]+", b"?debug=12x", "query parameter debug is '12x', no match of what is wanted"),
    ],
)
def test_query_parameters(value, query, why):
    field = QueryField.parse("debug", value)
    head = request(path=b"/x" + query)
    assert field.holds(head, CLIENT) is (why == "")
    if why:
        assert field.why(head, CLIENT) == why


def test_a_query_condition_names_its_parameter_where_its_value_is_wrong():
    with pytest.raises(ConfigError, match=r"page: '~\[' is no regular expression"):
        QueryField.parse("page", "~[")


def test_clients_are_networks_of_both_families():
    clients = Clients.parse(["10.0.0.0/8", "fd00::/8", "192.0.2.7", "[::1]"])
    inside = ["10.1.2.3", "fd00::1", "fd00::1%eth0", "192.0.2.7", "::1", "::ffff:10.0.0.1"]
    outside = ["11.0.0.1", "192.0.2.8", "::2", "unix:", "nonsense", "", "::ffff:11.0.0.1"]
    assert [ip for ip in inside + outside if clients.holds(request(), context_of(ip))] == inside


def test_clients_on_a_unix_socket_have_to_be_named():
    assert Clients.parse(["unix:"]).holds(request(), context_of("unix:"))
    assert not Clients.parse(["0.0.0.0/0", "::/0"]).holds(request(), context_of("unix:"))


def test_the_believed_address_counts():
    client = context_of("192.0.2.7")
    client.client_ip = "10.0.0.1"
    clients = Clients.parse(["10.0.0.0/8"])
    assert clients.holds(request(), client)
    assert (
        Clients.parse(["192.0.2.0/24", "fd00::/8"]).why(request(), client)
        == "client 10.0.0.1 is not in 192.0.2.0/24 or fd00::/8"
    )


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0", "a.example", "", "unix:/x"])
def test_what_is_no_network_is_refused(text):
    with pytest.raises(ConfigError, match=r"accepted are an address, and a CIDR .*, or unix:"):
        Clients.parse([text])


YES = HeaderField.parse("x", "yes")


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (Methods.parse(["GET", "POST"]), Methods.parse(["GET"])),
        (HeaderField.parse("x", True), YES),
        (HeaderField.parse("x", "~y.*"), YES),
        (QueryField.parse("x", True), QueryField.parse("x", "~a")),
        (Clients.parse(["10.0.0.0/8", "fd00::/8"]), Clients.parse(["10.1.0.0/16", "fd00::1"])),
        (Clients.parse(["unix:", "::/0"]), Clients.parse(["unix:"])),
    ],
)
def test_what_holds_wherever_another_does(wide, narrow):
    assert wide.covers(narrow) and wide.covers(wide) and narrow.covers(narrow)
    assert not narrow.covers(wide)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (YES, HeaderField.parse("y", "yes")),
        (YES, HeaderField.parse("x", "no")),
        (YES, QueryField.parse("x", "yes")),
        (YES, Methods.parse(["GET"])),
        (HeaderField.parse("x", "~y"), YES),
        # expressions are not compared, except as text
        (HeaderField.parse("x", "~yes?"), HeaderField.parse("x", "~yes")),
        (QueryField.parse("x", "a"), Clients.parse(["::1"])),
        (Clients.parse(["0.0.0.0/0"]), Clients.parse(["unix:"])),
        (Clients.parse(["0.0.0.0/0"]), Clients.parse(["::1"])),
        (Clients.parse(["::/0"]), Clients.parse(["10.0.0.1"])),
        (Clients.parse(["::/0"]), YES),
    ],
)
def test_what_does_not(one, other):
    assert not one.covers(other) and not other.covers(one)


def test_conditions_that_say_the_same_are_equal():
    assert Methods.parse(["GET", "PUT"]) == Methods.parse(["PUT", "GET", "GET"])
    assert Clients.parse(["10.0.0.1", "::1"]) == Clients.parse(["::1/128", "10.0.0.1/32"])
    assert HeaderField.parse("X-A", "~a") == HeaderField.parse("x-a", "~a")
    assert hash(Wanted.parse("~a")) == hash(Wanted.parse("~a")) and Wanted.parse("~a") != Wanted.parse("a")
