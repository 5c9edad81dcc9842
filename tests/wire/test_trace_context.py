"""``traceparent`` of W3C Trace Context."""

import pytest

from txproxy.wire.trace_context import TraceParent, new_trace, read_traceparent

TRACE, SPAN = b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331"


@pytest.mark.parametrize(
    ("value", "sampled"),
    [
        (b"00-%b-%b-01", True),
        (b"00-%b-%b-00", False),
        (b"00-%b-%b-03", True),
        # section 3.2.2.5: a version to come
        (b"01-%b-%b-01", True),
        (b"cc-%b-%b-00-what-the-future-will-be-like", False),
    ],
)
def test_what_is_valid_is_read(value, sampled):
    assert read_traceparent(value % (TRACE, SPAN)) == TraceParent(TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"00-%b-%b" % (TRACE, SPAN),
        b"00-%b-%b-1" % (TRACE, SPAN),
        b"00-%b-%b-01-more" % (TRACE, SPAN),
        b"01-%b-%b-01more" % (TRACE, SPAN),
        b"ff-%b-%b-01" % (TRACE, SPAN),
        b"00-%b-%b-01" % (TRACE.upper(), SPAN),
        b"00-%b-%b-01" % (b"0" * 32, SPAN),
        b"00-%b-%b-01" % (TRACE, b"0" * 16),
        b"00-%b-%b-01" % (TRACE[:-1], SPAN),
        b"00-%b-%b-01, 00-%b-%b-01" % (TRACE, SPAN, TRACE, SPAN),
        b"00-%b-%b-01\n" % (TRACE, SPAN),
    ],
)
def test_what_is_not_is_as_if_it_were_not_there(value):
    assert read_traceparent(value) is None


def test_a_new_one_is_valid_and_unlike_any_other():
    made = [new_trace(sampled) for sampled in (True, False)]
    for one in made:
        name, _, value = one.line.partition(b": ")
        assert (name, read_traceparent(value)) == (b"traceparent", one)
    assert made[0].trace != made[1].trace and made[0].span != made[1].span
    assert [one.sampled for one in made] == [True, False]
