"""Header fields that a route sets, adds and removes."""

import pytest

from txproxy.errors import ConfigError
from txproxy.reverse.rewriting.header_fields import FieldChanges, changed, plain
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

HEAD = RequestHead(b"GET", b"/x", Headers(), authority=b"a.example")


def test_nothing_is_nothing():
    assert not FieldChanges((), (), ())
    assert FieldChanges((("x", ""),), (), ()) and FieldChanges((), (("x", ""),), ()) and FieldChanges((), (), ("x",))


def test_what_goes_and_what_comes():
    changes = FieldChanges((("X_Set", "$host"),), (("X-Add", "a b"), ("x-add", "")), ("X-Gone",))
    assert changes.drop == {b"x-set", b"x-gone"} and changes.names == {b"x_set", b"x-add"}
    assert changes.added(HEAD, context_of("::1")) == [
        b"X_Set: a.example",
        b"X-Add: a b",
        b"x-add: ",
    ]


def test_a_variable_that_is_empty_leaves_no_space_at_an_end():
    changes = FieldChanges((("X", "$query of $query"), ("Y", "$query")), (), ())
    assert changes.added(HEAD, context_of("::1")) == [b"X: of", b"Y: "]


def test_values_without_variables_are_made_once():
    changes = FieldChanges((("X", "a$$"),), (), ())
    assert changes.added(HEAD, context_of("::1")) is changes.added(HEAD, context_of("::2"))


def test_the_upstream_is_known_only_in_responses():
    changes = FieldChanges((("X", "$upstream"),), (), (), of_response=True)
    assert changes.added(HEAD, context_of("::1"), b"up:8001") == [b"X: up:8001"]
    with pytest.raises(ConfigError, match=r"^set_headers: X: \$upstream is no variable; accepted are"):
        FieldChanges((("X", "$upstream"),), (), ())


def test_what_tells_of_the_client_is_replaced_and_never_added_to():
    assert FieldChanges((), (("X-Forwarded-Prefix", "/api"), ("X-Team", "a")), ()).drop == {b"x-forwarded-prefix"}
    assert FieldChanges((), (("X-Forwarded-Prefix", "/api"),), (), of_response=True).drop == frozenset()


@pytest.mark.parametrize("name", ["Set-Cookie", "location", "WWW_Authenticate", "ETag", "Strict-Transport-Security"])
def test_what_says_something_in_a_response_alone_is_not_for_requests(name):
    for arguments in ((((name, "x"),), (), ()), ((), ((name, "x"),), ()), ((), (), (name,))):
        with pytest.raises(ConfigError, match="is a field of responses, and says nothing in a request; accepted are"):
            FieldChanges(*arguments)
        assert FieldChanges(*arguments, of_response=True)


@pytest.mark.parametrize("name", ["Cookie", "authorization", "If_Match", "User-Agent"])
def test_what_says_something_in_a_request_alone_is_not_for_responses(name):
    for arguments in ((((name, "x"),), (), ()), ((), ((name, "x"),), ()), ((), (), (name,))):
        with pytest.raises(ConfigError, match="is a field of requests, and says nothing in a response; accepted are"):
            FieldChanges(*arguments, of_response=True)
        assert FieldChanges(*arguments)


def test_what_is_set_need_not_be_removed():
    with pytest.raises(ConfigError, match="remove_headers: x-a is set as well, which replaces it; accepted is one"):
        FieldChanges((("X-A", "1"),), (), ("x-a",))
    # the client's goes, and another comes
    assert FieldChanges((), (("X-A", "1"),), ("x-a",))


BOTH = ["Host", "Content-Length", "Transfer-Encoding", "connection", "VIA", "Upgrade", "TE", "Trailer", "Keep-Alive"]
BOTH += ["Proxy-Authorization", "Proxy-Connection", "Content_Length", "Transfer_Encoding"]
IN_REQUESTS = ["Expect", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Forwarded"]


@pytest.mark.parametrize("name", BOTH + IN_REQUESTS)
def test_what_is_the_proxys_own_is_not_for_routes(name):
    for of_response in (False, True):
        for key, arguments in {
            "set_headers": (((name, "x"),), (), ()),
            "add_headers": ((), ((name, "x"),), ()),
            "remove_headers": ((), (), (name,)),
        }.items():
            if of_response and name in IN_REQUESTS:
                FieldChanges(*arguments, of_response=True)
                continue
            with pytest.raises(ConfigError, match=f"^{key}: {name} .* accepted are other fields$") as caught:
                FieldChanges(*arguments, of_response=of_response)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("", "x", "'' is no field name"),
        ("X Y", "x", "'X Y' is no field name"),
        ("X:", "x", "'X:' is no field name"),
        ("É", "x", "'É' is no field name"),
        ("X\r\nY", "x", r"'X\\r\\nY' is no field name"),
        ("X", "a\r\nY: b", "X: this can be no field's value"),
        ("X", "a\0", "can be no field's value"),
        ("X", " a", "can be no field's value"),
        ("X", "a ", "can be no field's value"),
        ("X", "\n$host", "can be no field's value"),
        ("X", "$nonesuch", r"X: \$nonesuch is no variable"),
    ],
)
def test_what_is_no_field_is_refused(name, value, fault):
    for key, arguments in {"set_headers": (((name, value),), ()), "add_headers": ((), ((name, value),))}.items():
        with pytest.raises(ConfigError, match=f"^{key}: .*{fault}") as caught:
            FieldChanges(*arguments, ())
        assert "accepted" in str(caught.value) and "\n" not in str(caught.value)


def test_all_faults_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        FieldChanges((("Host", "x"), ("X", "a"), ("x", "b")), (("Y", "$z"),), ("Via", "A", "a"))
    assert str(caught.value).splitlines() == [
        "set_headers: Host is not set so; the option for the host sent upstream is; accepted are other fields",
        "add_headers: Y: $z is no variable; accepted are $client_ip, $host, $scheme, $method, $path, $query, and "
        "$$ for a dollar",
        "set_headers: x is there more than once; accepted is one of each",
        "remove_headers: Via is for the proxy itself to say, for each hop anew; accepted are other fields",
        "remove_headers: a is there more than once; accepted is one of each",
    ]


def test_names_as_cgi_takes_them():
    assert plain(b"X_Real-IP") == b"x-real-ip"


def test_a_head_that_somebody_changes_further_is_still_the_routes():
    head = changed(RequestHead(b"GET", b"/", Headers()), b"/a", Headers(), frozenset({b"x-forwarded-for"}))
    other = head.with_lines([b"X-Forwarded-For: 1"])
    assert other.kept == {b"x-forwarded-for"}
    assert (other.path, other.headers.lines) == (b"/a", [b"X-Forwarded-For: 1"])
    assert other.with_fields(Headers(), b"/b").kept == {b"x-forwarded-for"}
