"""Which configurations have run."""

import pytest

from txproxy.config.revisions import Revisions

FILE = 'workers = 1\n[pools.app]\nupstreams = "http://a"\n'


@pytest.fixture
def revisions():
    times = iter(range(1000, 2000))
    return Revisions(lambda: next(times))


def test_each_has_a_number_a_time_and_who_wanted_it(revisions):
    assert (revisions.current, list(revisions)) == (0, [])
    revisions.add("start", FILE)
    revisions.add("SIGHUP", FILE)
    assert [(one.number, one.at, one.by) for one in revisions] == [(1, 1000, "start"), (2, 1001, "SIGHUP")]
    assert revisions.current == 2 and revisions.find(1).text == FILE and revisions.find(3) is None


def test_what_one_has_changed_is_told_as_diff_does(revisions):
    revisions.add("start", FILE)
    revisions.add("SIGHUP", FILE.replace("1", "2"))
    assert revisions.diff(1) == "", "there was none before"
    assert revisions.diff(2).splitlines() == [
        "--- revision 1", "+++ revision 2", "@@ -1,3 +1,3 @@", "-workers = 1", "+workers = 2", " [pools.app]",
        ' upstreams = "http://a"',
    ]  # fmt: skip
    revisions.add("SIGHUP", FILE.replace("1", "2"))
    assert revisions.diff(3) == "" and revisions.diff(9) == ""


def test_the_last_ones_are_kept(revisions):
    for number in range(30):
        revisions.add("SIGHUP", f"workers = {number}")
    assert [one.number for one in revisions] == list(range(11, 31))
    assert revisions.diff(11) == "" and "-workers = 10" in revisions.diff(12).splitlines()


@pytest.mark.parametrize(
    "line",
    [
        'sticky_key = "HIDDEN"',
        "digest_secret = 'HIDDEN'",
        "headers = { Authorization = 'Bearer HIDDEN', X-Api-Key = \"HIDDEN\" }",
        'url = "http://user:HIDDEN@a.example/"',
        '"my-token" = "HIDDEN"',
        'secret = """HIDDEN"""',
        "secret = '''\nHIDDEN'''",
        'password = "a\\"HIDDEN"',
        'tokens = ["HIDDEN", "HIDDEN"]',
        '# sticky_key = "HIDDEN"',
        '[[listeners.inject]]\norigin = "https://a.example"\nheaders = { X-Partner = "HIDDEN", Cookie = "a=HIDDEN" }',
        '[[listeners]]\n[[listeners.inject]]\n[listeners.inject.headers]\nX-Partner = "HIDDEN"\nfile = "HIDDEN"',
        '[[listeners]]\ninject = [{ origin = "https://a.example", headers = { X-Partner = "HIDDEN" } }]',
        '[listeners.privacy]\nreplace = { X-Auth = "HIDDEN", "X-Session-Id" = "HIDDEN" }',
        'request_headers = { set = { X-Shared-Key = "HIDDEN" }, add = { Cookie = "HIDDEN" } }',
    ],
)
def test_no_secret_is_told(revisions, line):
    revisions.add("start", "")
    revisions.add("SIGHUP", f"{line}\n")
    diff = revisions.diff(2)
    assert "HIDDEN" not in diff and "..." in diff and revisions.find(2).text == f"{line}\n"


@pytest.mark.parametrize(
    "line",
    [
        'password_file = "/etc/users"',
        'token_file = "admin.token"',
        'cert = "a.pem"',
        'key = "a.key"',
        'secret = { file = "a.secret" }',
        'inject = [{ origin = "https://a.example", rules = ["one"], headers = { X-Key = { file = "a.secret" } } }]',
        'key_cookies = ["lang"]',
        'headers = { X-Version = "2", Accept = "text/html" }',
    ],
)
def test_names_of_files_are_no_secret(revisions, line):
    revisions.add("start", "")
    revisions.add("SIGHUP", f"{line}\n")
    assert f"+{line}" in revisions.diff(2)
