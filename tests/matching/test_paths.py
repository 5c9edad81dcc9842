"""Paths as servers read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.errors import ConfigError, RequestError
from txproxy.matching.paths import (
    PLAIN,
    PathPattern,
    as_local,
    check_within,
    configured_path,
    has_prefix,
    in_one_place,
    normal,
    prefix_of,
    readings,
    split_path,
)

PIECES = ["/", "a", "..", ".", "%2e", "%2F", "%5c", "\\", ";", "%3b", "%25", "%252e", "%00", "%20", "%41", "%zz", "é"]
WILD_PATHS = st.lists(st.sampled_from(PIECES), max_size=9).map(lambda pieces: ("/" + "".join(pieces)).encode("latin-1"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/", b"/"),
        (b"/api/x", b"/api/x"),
        (b"*", b"*"),
        (b"", b""),
        # RFC 3986 6.2.2.2 and 6.2.2.1
        (b"/%61pi/%7Euser", b"/api/~user"),
        (b"/%e4%b8%ad%2f", b"/%E4%B8%AD%2F"),
        # RFC 3986 5.2.4, with its own examples
        (b"/a/b/c/./../../g", b"/a/g"),
        (b"/mid/content=5/../6", b"/mid/6"),
        (b"/api/../admin", b"/admin"),
        (b"/api/%2e%2e/admin", b"/admin"),
        (b"/api/%2E./admin", b"/admin"),
        (b"/api/.%2e/%2e/admin", b"/admin"),
        (b"/../../../etc", b"/etc"),
        (b"/..", b"/"),
        (b"/.", b"/"),
        (b"/a/..", b"/"),
        (b"/a/.", b"/a/"),
        (b"/a/b/..", b"/a/"),
        (b"/a/./", b"/a/"),
        # an empty segment is one
        (b"//", b"//"),
        (b"/a//b", b"/a//b"),
        (b"/a//../b", b"/a/b"),
        (b"//../admin", b"/admin"),
        # what is no dot segment stays
        (b"/.well-known/x", b"/.well-known/x"),
        (b"/...", b"/..."),
        (b"/a..b/..c/d..", b"/a..b/..c/d.."),
        (b"/api/..;/admin", b"/api/..;/admin"),
        (b"/api/..%2Fadmin", b"/api/..%2Fadmin"),
        (b"/api/..%2fadmin", b"/api/..%2Fadmin"),
        (b"/api/..\\admin", b"/api/..\\admin"),
        (b"/api\\..\\admin", b"/api\\..\\admin"),
        # decoded once, and only what is an escape
        (b"/api/%252e%252e/admin", b"/api/%252e%252e/admin"),
        (b"/%", b"/%"),
        (b"/%2", b"/%2"),
        (b"/%zz%2x", b"/%zz%2x"),
        (b"/%00%0d%0a%20", b"/%00%0D%0A%20"),
    ],
)
def test_the_normal_form_of_rfc_3986(path, expected):
    assert normal(path) == expected
    assert normal(expected) == expected


@pytest.mark.parametrize("path", [b"/", b"/api/x", b"/api/", b"/a.b/c..d", b"/a-b_c~d/e,f:g@h&i='(!)*$", b"*", b""])
def test_a_plain_path_has_one_reading(path):
    assert readings(path) == (path,)


@pytest.mark.parametrize(
    ("path", "reading"),
    [
        (b"/%61pi/%7Euser", b"/api/~user"),
        (b"/%40a%2c%24", b"/@a,$"),
        (b"/caf%c3%a9/a%20b", b"/caf%C3%A9/a%20b"),
        (b"/.well-known/x", b"/.well-known/x"),
        (b"/...", b"/..."),
        (b"/%zz%u0061%", b"/%zz%u0061%"),
        (b"/100%25", b"/100%25"),
        (b"/a%5Eb^", b"/a^b^"),
    ],
)
def test_escapes_that_separate_nothing_are_one_reading(path, reading):
    assert readings(path) == (reading,)


@pytest.mark.parametrize(
    ("path", "first", "others"),
    [
        (b"//admin", b"/admin", {b"//admin"}),
        (b"/%2fadmin", b"/admin", {b"/%2Fadmin", b"//admin"}),
        (b"/admin%2f", b"/admin/", {b"/admin%2F"}),
        (b"/x/..%2fadmin", b"/admin", {b"/x/..%2Fadmin", b"/x/../admin"}),
        # slashes merged before dot segments are removed, after that, and not at all
        (b"/x//../admin", b"/admin", {b"/x//../admin", b"/x/admin", b"/x/../admin"}),
        (b"/.//admin", b"/admin", {b"/.//admin", b"//admin", b"/./admin"}),
        (b"/a\\b", b"/a\\b", {b"/a/b"}),
        (b"/a%5cb", b"/a\\b", {b"/a%5Cb", b"/a/b"}),
        (b"/a;v=1/b;w", b"/a;v=1/b;w", {b"/a/b"}),
        (b"/x/..;/a", b"/x/..;/a", {b"/x/../a", b"/a"}),
        (b"/a%3bx", b"/a;x", {b"/a%3Bx", b"/a"}),
        (b"/a%00.png", b"/a%00.png", {b"/a"}),
        (b"/a%3fb%23c", b"/a%3Fb%23c", {b"/a%3Fb", b"/a"}),
        (b"/a%20%0a", b"/a%20%0A", {b"/a"}),
        (b"/%252e%252e/a", b"/%252e%252e/a", {b"/../a", b"/a"}),
        (b"/a%252fb", b"/a%252fb", {b"/a/b"}),
        (b"/a%255c..", b"/a%255c..", {b"/a\\..", b"/a/..", b"/"}),
        # three times is for nobody
        (b"/a%25252fb", b"/a%25252fb", {b"/a%252fb"}),
        (b"/../../etc", b"/etc", {b"/../../etc"}),
    ],
)
def test_what_servers_read_in_several_ways(path, first, others):
    read = readings(path)
    assert read[0] == first
    assert set(read[1:]) == others
    assert len(set(read)) == len(read)


def test_what_combines_everything_is_refused():
    with pytest.raises(RequestError, match="too many ways") as caught:
        readings(b"/a;b/..%252f%5c..//x%00y%3fz%23;%3b%20/.%2e/c\\d%20")
    assert caught.value.status == 400


@given(WILD_PATHS)
def test_readings_begin_with_a_slash_and_the_first_is_its_own(path):
    try:
        read = readings(path)
    except RequestError:
        return
    assert all(reading[:1] == b"/" for reading in read)
    assert b"//" not in read[0] and b"/../" not in read[0] and b"/./" not in read[0]
    assert readings(read[0])[0] == read[0]
    if PLAIN.fullmatch(path):
        assert read == (path,)


@given(WILD_PATHS, st.sampled_from([b"", b"?x=//../%2f;"]))
def test_a_target_is_plain_where_its_path_is(path, query):
    found = PLAIN.fullmatch(path + query)
    plain = not any(sign in path for sign in (b"%", b"//", b"/.", b"\\", b";"))
    assert (found is not None) is plain
    assert found is None or found[1] == path


def test_a_target_is_split_at_the_first_question_mark():
    assert split_path(b"/a?b?c") == (b"/a", b"?b?c")
    assert split_path(b"/a?") == (b"/a", b"?")
    assert split_path(b"/a") == (b"/a", b"")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/api", b"/api"),
        ("/%7euser/", b"/~user/"),
        ("/é", b"/%C3%A9"),
        ("/a=b,c@d:e", b"/a=b,c@d:e"),
        ("/%40x%2c%7B%2a", b"/@x,{*"),
        ("/a%20b/c", b"/a%20b/c"),
    ],
)
def test_paths_of_a_configuration_are_made_canonical(text, path):
    assert configured_path(text) == path


@pytest.mark.parametrize(
    "text", ["", "api", "/a b", "/a?b", "/a#b", "/a\n", "/a\\b", "/%2", "/%zz", "/a/../b", "/a/%2e%2e/b", "/.", "/{id}"]
)
def test_what_is_no_path_is_refused(text):
    with pytest.raises(ConfigError, match="accepted is a path") as caught:
        configured_path(text)
    assert "\n" not in str(caught.value)


def test_a_prefix_ends_where_a_segment_does():
    assert [
        path for path in (b"/api", b"/api/", b"/api/x", b"/apix", b"/ap", b"/API") if has_prefix(path, b"/api")
    ] == [
        b"/api",
        b"/api/",
        b"/api/x",
    ]
    assert [path for path in (b"/api", b"/api/", b"/api/x") if has_prefix(path, b"/api/")] == [b"/api/", b"/api/x"]


@pytest.mark.parametrize(
    "text", ["//", "/a//b", "/a%2Fb", "/a%5Cb", "/a;b=c", "/a%3Bb", "/a%00", "/a%3Fb", "/a%252e", "/a%20"]
)
def test_a_configured_path_is_read_alike_by_all(text):
    with pytest.raises(ConfigError, match="not read alike by all servers; accepted is a path") as caught:
        configured_path(text)
    assert "\n" not in str(caught.value)
    assert configured_path(text, alike=False)


@pytest.mark.parametrize("text", ["/api/*", "/*", "/a*b"])
def test_a_configured_path_has_no_star(text):
    with pytest.raises(ConfigError, match=r"has a \*, which stands for nothing here; .*: /api is for all below it"):
        configured_path(text)


def test_in_one_place_or_refused():
    assert in_one_place(b"/api/x", lambda path: has_prefix(path, b"/api"))
    assert in_one_place(b"/api//x", lambda path: has_prefix(path, b"/api"))
    assert not in_one_place(b"/x/%2f", lambda path: has_prefix(path, b"/api"))
    with pytest.raises(RequestError, match="different places"):
        in_one_place(b"/api/..%2fx", lambda path: has_prefix(path, b"/api"))


def test_within_a_prefix_by_all_readings():
    check_within(b"/api/a%2Fb;c//d", b"/api")
    check_within(b"/anything/..%2f..", b"")
    for path in (b"/api/..%2fx", b"/api/..;/x", b"/api/..\\x", b"/x", b"/apix"):
        with pytest.raises(RequestError, match="leads out"):
            check_within(path, b"/api")


@pytest.mark.parametrize("path", [b"/@a.b", b"/%40a.b/x", b"/@%61%2Eb"])
def test_a_prefix_is_found_however_it_is_escaped(path):
    assert prefix_of(b"/@a.b").match(path)


@pytest.mark.parametrize("path", [b"/@a.bc", b"/@axb", b"/x/@a.b"])
def test_another_prefix_is_not(path):
    assert prefix_of(b"/@a.b").match(path) is None


def test_a_path_that_would_name_a_server_is_made_one_that_does_not():
    assert [as_local(path) for path in (b"/a", b"//a", b"/\\a", b"*")] == [b"/a", b"/.//a", b"/./\\a", b"*"]


@pytest.mark.parametrize(
    ("pattern", "holds", "does_not"),
    [
        ("", [b"/", b"*", b"", b"/x"], []),
        ("/", [b"/", b"*", b"", b"/x"], []),
        ("/api", [b"/api", b"/api/", b"/api/x"], [b"/apix", b"/", b"/API", b"//api"]),
        ("/api/", [b"/api/", b"/api/x"], [b"/api", b"/apix"]),
        ("=/api", [b"/api"], [b"/api/", b"/api/x"]),
        ("=/", [b"/"], [b"/x", b"", b"*"]),
        ("~/users/[0-9]+", [b"/users/7"], [b"/users/7/", b"/x/users/7", b"/users/"]),
        # an alternative at the top is anchored as well
        ("~/a|/b", [b"/a", b"/b"], [b"/ax", b"/x/b"]),
        ("~(?i)/API", [b"/api", b"/Api"], [b"/apix"]),
    ],
)
def test_path_patterns(pattern, holds, does_not):
    parsed = PathPattern.parse(pattern)
    assert [path for path in holds + does_not if parsed.holds(path)] == holds
