"""What clients say of the order in which they want things."""

import pytest

from txproxy.wire.http2.priorities import read_priority


# RFC 9218 4 and 5
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"", (3, False)),
        (b"u=0", (0, False)),
        (b"u=7, i", (7, True)),
        (b"i, u=1", (1, True)),
        (b"u=5, i=?0", (5, False)),
        (b"i=?1", (3, True)),
        (b"u=1;x=2, i;y", (1, True)),
        (b"u=2, u=4", (4, False)),
        (b"u=8", (3, False)),
        (b"u=-1", (3, False)),
        (b"u=3.5", (3, False)),
        (b"u=a, i=1", (3, False)),
        (b"uu=1, ii", (3, False)),
        (b"x=9, u=1", (1, False)),
    ],
)
def test_urgency_and_increments(value: bytes, said: tuple[int, bool]) -> None:
    assert read_priority(value) == said
