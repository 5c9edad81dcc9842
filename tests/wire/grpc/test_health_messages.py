import pytest

from txproxy.wire.grpc.health_messages import answer, question


def framed(message):
    return b"\0" + len(message).to_bytes(4, "big") + message


def test_a_question_names_a_service_or_none():
    assert question(b"") == framed(b"")
    assert question(b"shop.Cart") == framed(b"\x0a\x09shop.Cart")
    assert question(b"s" * 200) == framed(b"\x0a\xc8\x01" + b"s" * 200)


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b"", "UNKNOWN"),
        (b"\x08\x01", "SERVING"),
        (b"\x08\x02", "NOT_SERVING"),
        (b"\x08\x03", "SERVICE_UNKNOWN"),
        (b"\x08\x80\x01", "128"),
        # The last of several counts, and other fields are passed over.
        (b"\x08\x02\x12\x02hi\x19" + b"x" * 8 + b"\x25" + b"y" * 4 + b"\x08\x01", "SERVING"),
    ],
)
def test_an_answer_has_a_status(message, status):
    assert answer(framed(message)) == status


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\0\0\0\0", b"\1" + framed(b"\x08\x01")[1:], framed(b"\x08\x01")[:-1], framed(b"\x08\x01") + b"x",
        framed(b"\x08"), framed(b"\x08" + b"\xff" * 11), framed(b"\x12\x05hi"), framed(b"\x0b"), framed(b"\x19xx"),
    ],
)  # fmt: skip
def test_what_is_no_answer(body):
    assert answer(body) is None
