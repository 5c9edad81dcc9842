"""Which verb is at which path."""

import pytest

from txproxy.admin.api_paths import ApiPaths, Verb

VERBS = [Verb(method, path, print) for method, path in [("GET", "/a"), ("POST", "/a"), ("GET", "/a/{name}/b")]]


@pytest.mark.parametrize(
    ("path", "methods", "names"),
    [
        ("/a", {"GET", "POST"}, ()),
        ("/a/x/b", {"GET"}, ("x",)),
        ("/a/x%2Fy%20z/b", {"GET"}, ("x/y z",)),
    ],
)
def test_paths_are_found(path, methods, names):
    verbs, found = ApiPaths(VERBS).find(path)
    assert set(verbs) == methods and found == names


@pytest.mark.parametrize("path", ["", "/", "a", "/a/", "//a", "/A", "/a//b", "/a/x/c", "/a/x/b/", "/%61"])
def test_others_are_not(path):
    assert ApiPaths(VERBS).find(path) is None


def test_one_verb_is_there_once():
    with pytest.raises(AssertionError, match="GET /a is there twice"):
        ApiPaths([*VERBS, VERBS[0]])


def test_a_path_without_names_is_before_one_with_them():
    named, exact = Verb("GET", "/a/{one}", lambda call: 1), Verb("GET", "/a/b", lambda call: 2)
    paths = ApiPaths([named, exact])
    assert paths.find("/a/b") == ({"GET": exact}, ()) and paths.find("/a/c") == ({"GET": named}, ("c",))
    assert paths.find("/a/{one}") == ({"GET": named}, ("{one}",))
