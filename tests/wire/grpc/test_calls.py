import pytest

from txproxy.wire.grpc.calls import is_call, read_timeout


@pytest.mark.parametrize("kind", [b"application/grpc", b"application/grpc+proto", b"Application/GRPC; x=y"])
def test_calls(kind):
    assert is_call(kind)


@pytest.mark.parametrize("kind", [None, b"", b"application/grpc-web", b"application/grpcx", b"text/html"])
def test_what_is_no_call(kind):
    assert not is_call(kind)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(b"2S", 2), (b"1H", 3600), (b"3M", 180), (b"250m", 0.25), (b"5u", 5e-6), (b"99999999n", 0.099999999)],
)
def test_timeouts(value, seconds):
    assert read_timeout(value) == pytest.approx(seconds)


@pytest.mark.parametrize("value", [b"", b"2", b"S", b"123456789S", b"-1S", b"1.5S", b"2s", b" 2S"])
def test_what_is_no_timeout(value):
    assert read_timeout(value) is None
