import pytest

from txproxy.wire.grpc.grpc_statuses import in_http, message_value, named, of_http, read_status


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 13), (401, 16), (403, 7), (404, 12), (407, 16), (429, 14), (502, 14), (503, 14), (504, 14), (413, 2)],
)
def test_what_clients_take_a_status_of_http_for(status, code):
    assert of_http(status) == code


@pytest.mark.parametrize(
    ("value", "status"),
    [(b"0", 200), (b"14", 503), (b"13", 500), (b"12", 501), (b"5", 400), (b"4", 500), (b"x", 500), (b"", 500)],
)
def test_what_a_status_counts_as(value, status):
    assert in_http(value) == status


def test_a_status_is_a_small_number():
    assert read_status(b"16") == 16 and read_status(b"-1") is None and read_status(b"1" * 5000) is None


def test_names_are_for_people():
    assert named(5) == "5 (NOT_FOUND)" and named(99) == "99"


def test_a_message_is_printable_ascii():
    assert message_value("50 % of ü\n") == b"50 %25 of %C3%BC%0A"
