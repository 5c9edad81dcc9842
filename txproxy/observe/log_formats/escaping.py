"""Values that clients have chosen, so that they can end neither their place in a line nor the line."""

from __future__ import annotations

from collections.abc import Callable
from json.encoder import encode_basestring_ascii
from typing import Final

from txproxy.frozen_values import frozen


@frozen
class Escape:
    """A way to write values: one of ``plain`` bytes alone stays as it is, others are what ``rewrite`` makes of them.
    Who has to be fast asks for the first himself.
    """

    plain: bytes
    rewrite: Callable[[bytes], bytes]

    def __call__(self, value: bytes) -> bytes:
        """``value`` as it goes into the line."""
        return value if not value.translate(None, self.plain) else self.rewrite(value)


def _by_byte(escaped: Callable[[int], bool], form: bytes) -> Escape:
    plain = bytes(byte for byte in range(256) if not escaped(byte))

    def rewrite(value: bytes) -> bytes:
        return b"".join([form % byte if escaped(byte) else bytes((byte,)) for byte in value])

    return Escape(plain, rewrite)


def _is_control(byte: int) -> bool:
    """Or no ASCII."""
    return byte < 0x20 or byte >= 0x7F


# As Apache and nginx write what is in quotes, and on a line.
quoted: Final = _by_byte(lambda byte: _is_control(byte) or byte in b'"\\', b"\\x%02X")
# The same without spaces, so that the columns after it stay where they are.
one_word: Final = _by_byte(lambda byte: _is_control(byte) or byte in b' "\\', b"\\x%02X")

# As Squid does: rfc1738.c, and QuoteMimeBlob of format/Quoting.cc. What stands between spaces:
_UNSAFE: Final = b" <>\"#{}|\\^~[]`'"
in_url: Final = _by_byte(lambda byte: _is_control(byte) or byte in _UNSAFE, b"%%%02X")
# a URL itself, which stays as it was sent
whole_url: Final = _by_byte(lambda byte: _is_control(byte) or byte == 0x20, b"%%%02X")
# any text, where a % is none of an escape yet
as_url: Final = _by_byte(lambda byte: _is_control(byte) or byte in _UNSAFE + b"%", b"%%%02X")
in_brackets: Final = _by_byte(lambda byte: _is_control(byte) or byte in b'%"[]', b"%%%02X")


def json_text(value: bytes) -> str:
    r"""``value`` as a text of JSON, in its quotes, of ASCII alone. What is no UTF-8 in it is shown as ``\xff``."""
    return encode_basestring_ascii(value.decode("utf-8", "backslashreplace"))


# The same without the quotes.
in_json: Final = Escape(quoted.plain, lambda value: json_text(value)[1:-1].encode("ascii"))
