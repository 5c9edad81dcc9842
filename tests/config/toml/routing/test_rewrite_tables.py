"""What routes of a file change in requests and responses."""

import pytest

from txproxy.reverse.rewriting.by_status import StatusChanges
from txproxy.reverse.rewriting.request_rewrite import RequestRewrite
from txproxy.reverse.rewriting.response_rewrite import ResponseRewrite
from txproxy.reverse.routing.file_condition import FileIn
from txproxy.reverse.routing.matches import Match

BEGIN = '[[routes]]\nname = "r"\npath = "/one"\n'
TO = BEGIN + 'pool = "app"\n'


@pytest.fixture
def route(more):
    return lambda text: more(BEGIN + text).routes[0]


def test_responses_change_by_their_status(route):
    made = route(
        """pool = "app"
        [[routes.response_headers.by_status]]
        status = [200, "3xx"]
        add = { X-A = ["b", "c"] }
        [[routes.response_headers.by_status]]
        status = "5xx"
        set = { X-B = "d" }
        remove = "Server"
        """
    )
    assert made.response == ResponseRewrite(
        request=RequestRewrite(),
        by_status=[
            StatusChanges(statuses=[200, "3xx"], add_headers={"X-A": ["b", "c"]}),
            StatusChanges(statuses="5xx", set_headers={"X-B": "d"}, remove_headers="Server"),
        ],
    )


def test_urls_and_cookies_become_others(route):
    made = route(
        """pool = "app"
        map_location = { "http://old/" = "/", "~https?://x/(.*)" = "/$1" }
        cookie_paths = { "/a" = "/" }
        cookie_flags = { s = ["secure", "samesite=lax"], "*" = "httponly" }
        """
    )
    assert made.response == ResponseRewrite(
        request=RequestRewrite(),
        locations={"http://old/": "/", "~https?://x/(.*)": "/$1"},
        cookie_paths={"/a": "/"},
        cookie_flags={"s": ["secure", "samesite=lax"], "*": ["httponly"]},
    )
    assert route('pool = "app"\nmap_location = true').response is None
    assert route('pool = "app"\nmap_location = false').response == ResponseRewrite(
        map_back=False, request=RequestRewrite()
    )
    assert route('pool = "app"\nmap_location = {}').response is None


def test_a_file_has_to_be_there(route, tmp_path):
    (tmp_path / "site").mkdir()
    folder = str(tmp_path / "site")
    assert route('pool = "app"\nfile_in = "site"').match == Match(path="/one", file_in=FileIn(folder))
    assert route('pool = "app"\nfile_in = { folder = "site", index = false }').match.file_in == FileIn(folder, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "response_headers = { by_status = [{ add = { A = 'b' } }] }",
            "routes[0].response_headers.by_status[0]: stat",
        ),
        ("response_headers = { by_status = [{ status = [] }] }", "routes[0].response_headers.by_status[0].status: the"),
        ("response_headers = { by_status = [{ status = 600 }] }", "routes[0].response_headers.by_status[0].status: 60"),
        (
            "response_headers = { by_status = [{ status = 200, add = { X = '$nope' } }] }",
            "routes[0].response_headers.by_status[0].add: X: $nope is n",
        ),
        ("response_headers = { by_status = { status = 200 } }", "routes[0].response_headers.by_status: "),
        ("map_location = { 'http://a/' = '' }", "routes[0].map_location.'http://a/': '' is no text"),
        ("map_location = { '~(' = '/' }", "routes[0].map_location: '~(' is no regular expression"),
        ("cookie_paths = { a = '/' }", "routes[0].cookie_paths: 'a' is no path"),
        ("cookie_paths = { '/a' = '/' }\nmap_location = false", "routes[0].cookie_paths: nothing is mapped back"),
        ("cookie_flags = { a = ['pure'] }", "routes[0].cookie_flags: 'pure' is no flag of a cookie"),
        ("cookie_flags = { a = 1 }", "routes[0].cookie_flags.a: 1 is no text"),
        ("file_in = 'nowhere'", "routes[0].file_in: '/"),
        ("file_in = { index = true }", "routes[0].file_in: folder is missing"),
        ("file_in = 1", "routes[0].file_in: 1 is no name of a file"),
    ],
)
def test_what_is_wrong_is_one_line(fault, text, said):
    found = fault(TO + text)
    assert found.startswith(said), found
    assert "accepted" in found
