"""Lists together: which one a request is on, what exceptions do, and files that change."""

import os

import pytest
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import globalLogPublisher

from txproxy.errors import ConfigError
from txproxy.forward.blocklists.block_list import Hit
from txproxy.forward.blocklists.filtering import Filters, ListFile
from txproxy.forward.request.facts import Facts
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


def request(host, path="/", method=b"GET"):
    scheme = None if method == b"CONNECT" else b"http"
    head = RequestHead(method, b"" if scheme is None else path.encode(), Headers(), scheme=scheme)
    return Facts(head, "127.0.0.1", host, 443 if scheme is None else 80)


class Folder:
    """Files of lists, each with a modification time of its own, whatever the clock of the file system."""

    def __init__(self, path):
        self.path = path
        self.time = 1_000_000_000

    def write(self, name, text):
        file = self.path / name
        file.write_text(text)
        self.time += 1
        os.utime(file, (self.time, self.time))
        return str(file)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture
def logged():
    events = []
    globalLogPublisher.addObserver(events.append)
    yield lambda: [event["log_format"].format(**event) for event in events]
    globalLogPublisher.removeObserver(events.append)


def test_a_hit_tells_list_and_entry(folder):
    filters = Filters(
        [
            folder.write("ads.txt", "ads.example\n*://*/banner/*\n"),
            ListFile(folder.write("bad.txt", "0.0.0.0 bad.example\nhttp://site/private/*\n"), "malware"),
        ]
    )
    assert filters.find(request("x.ads.example")) == Hit("ads", "ads.example")
    assert filters.find(request("bad.example")) == Hit("malware", "bad.example")
    assert filters.find(request("site", "/private/x")) == Hit("malware", "http://site/private/*")
    assert filters.find(request("any", "/banner/x")) == Hit("ads", "*://*/banner/*")
    for good in (request("good.example"), request("x.bad.example"), request("site", "/x")):
        assert filters.find(good) is None
        assert filters.find(good) is None
    assert filters.warnings == ()
    assert list(filters.lists) == ["ads", "malware"]


def test_no_list_blocks_nothing():
    assert Filters().find(request("any")) is None
    assert not Filters().check()


def test_answers_are_remembered_within_bounds(folder):
    filters = Filters([folder.write("ads", "ads.example\n")])
    for number in range(5000):
        assert filters.find(request(f"host{number}.example")) is None
        assert filters.find(request(f"host{number}.ads.example")) == Hit("ads", "ads.example")


def test_of_a_tunnel_the_host_is_looked_at_and_no_path(folder):
    filters = Filters([folder.write("it", "*://site/*\nhttps://other/private/*\n*://*/banner/*\nads.example\n")])
    assert filters.find(request("site", method=b"CONNECT")) == Hit("it", "*://site/*")
    assert filters.find(request("ads.example", method=b"CONNECT")) == Hit("it", "ads.example")
    assert filters.find(request("other", method=b"CONNECT")) is None
    assert filters.find(request("banner", method=b"CONNECT")) is None


@pytest.mark.parametrize(
    "path",
    ["/ads/x", "//ads/x", "/%2fads/x", "/ads%2fx", "/y/..%2fads/x", "/y//../ads/x", "/;/ads/x", "/y\\..\\ads\\x"],
)
def test_no_spelling_of_a_path_goes_around_a_list(folder, path):
    filters = Filters([folder.write("a", "http://a.example/ads/*\n")])
    assert filters.find(request("a.example", path)) == Hit("a", "http://a.example/ads/*")


def test_an_exception_of_one_list_is_one_of_all(folder):
    filters = Filters(
        [
            folder.write("ads", "example\n*://good.example/banner/*\n"),
            folder.write("more", "good.example\n||worst.good.example^$important\n"),
            folder.write("mine", "@@||good.example^\n"),
        ]
    )
    assert filters.find(request("bad.example")) == Hit("ads", "example")
    assert filters.find(request("good.example")) is None
    assert filters.find(request("x.good.example")) is None
    assert filters.find(request("good.example", "/banner/x")) is None
    assert filters.find(request("worst.good.example")) == Hit("more", "worst.good.example")
    assert filters.find_in("more", request("good.example")) is None
    assert filters.find_in("ads", request("good.example", "/banner/x")) is None


def test_of_one_list_with_exceptions_too(folder):
    filters = Filters([folder.write("ads", "example\n*://good.test/x\n@@||good.example^\n@@||good.test^\n")])
    assert filters.find(request("bad.example")) == Hit("ads", "example")
    assert filters.find(request("good.example")) is None
    assert filters.find(request("good.test", "/x")) is None


def test_one_list_can_be_asked_for(folder):
    filters = Filters([folder.write("a", "a.example\n*/x/*\n"), folder.write("b", "b.example\n")])
    assert filters.find_in("a", request("a.example")) == Hit("a", "a.example")
    assert filters.find_in("a", request("c.example", "/x/y")) == Hit("a", "*/x/*")
    assert filters.find_in("b", request("a.example", "/x/y")) is None


def test_each_file_that_cannot_be_used_is_told_of(folder):
    good = folder.write("good", "a.example\n")
    with pytest.raises(ConfigError) as raised:
        Filters([good, str(folder.path / "absent"), str(folder.path), ListFile(good, "good")])
    lines = str(raised.value).splitlines()
    assert len(lines) == 3 and all("accepted" in line for line in lines)
    assert "No such file" in lines[0] and "Is a directory" in lines[1] and "there is a list 'good' already" in lines[2]


def test_warnings_are_those_of_all_lists(folder):
    filters = Filters([folder.write("a", "a.example\nb c\n"), folder.write("b", "b.example\n||x^$script\n")])
    assert [line.partition(":")[0] for line in filters.warnings] == ["a", "b"]


def test_a_file_that_changed_is_read_again(folder, logged):
    path = folder.write("ads", "old.example\n")
    filters = Filters([path, folder.write("other", "other.example\n")])
    calls = []
    filters.watch(lambda: calls.append(filters.find(request("new.example"))))
    assert filters.find(request("new.example")) is None
    assert not filters.check() and not calls
    folder.write("ads", "new.example\nb c\n")
    assert filters.check()
    # Who watches sees the new list, and no answer of the old one is remembered.
    assert calls == [Hit("ads", "new.example")]
    assert filters.find(request("old.example")) is None
    assert filters.find(request("other.example")) == Hit("other", "other.example")
    assert not filters.check()
    assert [line[:40] for line in logged()] == [
        "the list ads was read again: 1 entries",
        "ads: 1 of 2 lines are neither hosts nor ",
    ]


def test_a_file_put_in_place_of_another_is_seen_by_its_inode(folder):
    path = folder.write("ads", "a.example\n")
    filters = Filters([path])
    # Same size, same time.
    os.replace(folder.write("next", "b.example\n"), path)
    os.utime(path, (1_000_000_001, 1_000_000_001))
    assert filters.check()
    assert filters.find(request("b.example"))


@pytest.mark.parametrize("bad", [None, "\0\0\0", "<html>\n"])
def test_a_bad_new_file_leaves_the_list_as_it_was_and_is_told_of_once(folder, logged, bad):
    path = folder.write("ads", "a.example\n")
    filters = Filters([path])
    if bad is None:
        os.unlink(path)
    else:
        folder.write("ads", bad)
    assert not filters.check() and not filters.check()
    assert filters.find(request("a.example"))
    (line,) = logged()
    assert line.startswith(f"the list stays as it was: {path}") and "accepted" in line
    folder.write("ads", "b.example\n")
    assert filters.check()
    assert filters.find(request("b.example")) and not filters.find(request("a.example"))


@pytest.mark.parametrize("empty", ["", "# none is left\n"])
def test_a_list_that_has_lost_all_its_entries_is_believed_at_the_second_look(folder, logged, empty):
    filters = Filters([folder.write("ads", "a.example\n"), folder.write("other", "o.example\n")])
    folder.write("ads", empty)
    assert not filters.check()
    assert filters.find(request("a.example"))
    # What else has changed is taken meanwhile.
    folder.write("other", "p.example\n")
    assert filters.check()
    assert not filters.find(request("a.example")) and filters.find(request("p.example"))
    assert not filters.check()
    assert logged()[0] == "the list ads is empty now, which is believed if it stays so"


def test_a_list_that_is_emptied_before_it_is_written_blocks_all_the_time(folder):
    filters = Filters([folder.write("ads", "a.example\n")])
    for text in ("", "# new\n"):
        folder.write("ads", text)
        assert not filters.check()
        assert filters.find(request("a.example"))
    folder.write("ads", "a.example\nb.example\n")
    assert filters.check()
    assert filters.find(request("b.example"))


def test_the_reading_can_be_done_elsewhere(folder):
    path = folder.write("ads", "a.example\n")
    filters = Filters([path])
    folder.write("ads", "b.example\n")
    waiting = []

    def run(read):
        done = Deferred()
        waiting.append((read, done))
        return done

    finished = []
    Deferred.fromCoroutine(filters.check_by(run)).addCallback(finished.append)
    ((read, done),) = waiting
    news = read()
    # All that the other thread did has changed nothing here.
    assert not finished and filters.find(request("a.example")) and not filters.find(request("b.example"))
    done.callback(news)
    assert finished == [True] and filters.find(request("b.example"))
    Deferred.fromCoroutine(filters.check_by(maybeDeferred)).addCallback(finished.append)
    assert finished == [True, False]


def test_what_lists_come_to_together_is_found_out_once_for_all_who_have_them(folder):
    paths = [folder.write("a", "a.example\n"), folder.write("b", "b.example\n@@||x.a.example^\n")]
    one, other = Filters(paths), Filters(paths)
    assert one._together is other._together
    assert other.find(request("b.example")) == Hit("b", "b.example")
    alone = Filters(paths[:1])
    assert alone.find(request("x.a.example")) == Hit("a", "a.example")
    assert one.find(request("x.a.example")) is None
    folder.write("b", "c.example\n")
    assert one.check() and one._together is not other._together
    assert other.find(request("b.example")) and other.check()
    assert one._together is other._together


@pytest.mark.parametrize("host", ["8.8.4.4", "::ffff:8.8.4.4", "64:ff9b::8.8.4.4", "2002:808:404::1"])
def test_no_way_to_an_address_goes_around_a_list(folder, host):
    one = Filters([folder.write("a.txt", "8.8.4.4\n")])
    assert one.find(request(host)) == one.find_in("a", request(host)) == Hit("a", "8.8.4.4")
    url = Filters([folder.write("b.txt", "*://8.8.4.4/private/*\n")])
    assert url.find(request(host, "/private/x")) == Hit("b", "*://8.8.4.4/private/*")
    assert url.find(request(host, "/x")) is None and url.find(request(host.replace("4.4", "4.5"), "/x")) is None
    excepted = Filters([folder.write("a.txt", "8.8.4.4\n@@||8.8.4.4^\n")])
    assert excepted.find(request(host)) is None
