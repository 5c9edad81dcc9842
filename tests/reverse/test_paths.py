"""Paths in the form that routes are matched on."""

import pytest

from txproxy.errors import ConfigError
from txproxy.reverse.paths import canonical, configured_path, has_prefix, split_path


@pytest.mark.parametrize(
    ("path", "normal"),
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
def test_the_canonical_form(path, normal):
    assert canonical(path) == normal
    assert canonical(normal) == normal


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
        ("//", b"//"),
        ("/a;b=c,d@e:f", b"/a;b=c,d@e:f"),
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
