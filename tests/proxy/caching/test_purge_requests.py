"""PURGE, where a policy allows it."""

import pytest

from tests.proxy.caching.caching_proxy import get
from txproxy.cache.purging.marks import Marks

FRESH = {"cache_control": "max-age=60"}


@pytest.fixture
def purging(make):
    return make(purge=True)


def test_what_is_stored_of_a_url_is_used_no_more(purging):
    for path in ("/x", "/y"):
        purging.ask(get(path), purging.response(**FRESH))
        for _ in range(2):
            assert purging.ask(get(path))[1] is None
    got, asked = purging.ask(get("/x", "PURGE"))
    assert (got.status, got.body, asked) == (200, b"purged\n", None)
    assert purging.ask(get("/x"), purging.response("anew", **FRESH))[0].body == b"anew"
    assert purging.ask(get("/y"))[1] is None


def test_all_variants_and_keys_are(make):
    proxy = make(purge=True, key_cookies=("team",))
    for team in ("a", "b"):
        for language in ("en", "de"):
            fields = {"cookie": f"team={team}", "accept_language": language}
            proxy.ask(get(**fields), proxy.response("old", vary="Accept-Language", **FRESH))
    proxy.ask(get(method="PURGE"))
    for team in ("a", "b"):
        for language in ("en", "de"):
            fields = {"cookie": f"team={team}", "accept_language": language}
            assert proxy.ask(get(**fields), proxy.response("anew"))[0].body == b"anew"


def test_what_is_on_its_way_is_not_kept(purging):
    client = purging.connect()
    client.send(get())
    before = purging.upstream
    purging.ask(get(method="PURGE"))
    before.send(purging.response("old", **FRESH))
    assert client.take().endswith(b"old")
    assert purging.ask(get(), purging.response("anew"))[0].body == b"anew"


def test_a_parameter_that_does_not_count_is_no_other_url(make):
    proxy = make(purge=True, query_drop=("utm_*",))
    proxy.ask(get("/x?a=1"), proxy.response(**FRESH))
    proxy.ask(get("/x?a=1&utm_source=b", "PURGE"))
    assert proxy.ask(get("/x?a=1"), proxy.response("anew"))[0].body == b"anew"


def test_without_leave_it_is_the_origins_to_answer(proxy):
    proxy.ask(get(), proxy.response(**FRESH))
    got, asked = proxy.ask(get(method="PURGE"), proxy.response("", "405 No"))
    assert asked.startswith(b"PURGE ") and got.status == 405
    assert proxy.ask(get())[1] is None


def test_where_it_cannot_be_written_down_nobody_is_told_that_it_was(purging, monkeypatch):
    purging.ask(get(), purging.response(**FRESH))

    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Marks, "add", fails)
    got, _ = purging.ask(get(method="PURGE"))
    assert got.status == 500
    assert purging.finished[-1].detail == "the purge cannot be written down: No space left on device"
