"""What a request gets where variants are stored and none of them is for such a request."""

import pytest

from tests.proxy.caching.caching_proxy import get

FRESH = {"cache_control": "max-age=60"}


def store(proxy):
    proxy.ask(get(accept_language="en"), proxy.response("en", vary="Accept-Language", etag='"en"', **FRESH))


@pytest.mark.parametrize("tag", ['"1"', 'W/"1"'])
def test_no_tag_of_a_variant_is_sent_with_what_does_not_match_it(proxy, tag):
    """Servers that compress may have one tag for both forms, and say 304 of the one that this client cannot read."""
    fields = {"vary": "Accept-Encoding", "etag": tag, **FRESH}
    zipped = proxy.response("zipped", content_encoding="gzip", **fields)
    proxy.ask(get(accept_encoding="gzip"), zipped)
    for wanted in ({"accept_encoding": "identity"}, {}):
        answer, asked = proxy.ask(get(**wanted), proxy.response("plain", **fields))
        assert b"\r\nIf-" not in asked
        assert answer.body == b"plain" and "content-encoding" not in answer.fields
        assert answer.told == "txproxy; fwd=vary-miss; ttl=60; stored"
    hit, asked = proxy.ask(get(accept_encoding="gzip"))
    assert asked is None and hit.body == b"zipped"


def test_a_304_to_what_was_no_condition_is_no_answer(proxy):
    store(proxy)
    answer, _ = proxy.ask(get(accept_language="fr"), proxy.response("", "304 Not Modified", etag='"en"', **FRESH))
    assert answer.status == 502
    assert proxy.ask(get(accept_language="en"))[1] is None


def test_a_variant_that_is_stale_is_validated_by_its_own_tag_alone(proxy):
    store(proxy)
    proxy.ask(get(accept_language="de"), proxy.response("de", vary="Accept-Language", etag='"de"', **FRESH))
    proxy.pass_time(61)
    answer, asked = proxy.ask(get(accept_language="en"), proxy.response("", "304 Not Modified", etag='"en"', **FRESH))
    assert b'\r\nIf-None-Match: "en"\r\n' in asked and answer.body == b"en"
    assert b'"de"' in proxy.ask(get(accept_language="de"), proxy.response("de"))[1]


def test_a_failure_is_not_answered_with_another_variant(proxy):
    store(proxy)
    assert proxy.ask(get(accept_language="fr"), proxy.response("oh", "503 Oh"))[0].body == b"oh"
