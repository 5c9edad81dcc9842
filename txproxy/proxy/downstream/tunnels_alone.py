"""What clients that ask for tunnels and nothing else have to say to responses: nothing."""

from __future__ import annotations

from typing import Any

from txproxy.wire.headers import Headers
from txproxy.wire.message import ResponseHead


class TunnelsAlone:
    """The part of a :class:`txproxy.interfaces.streams.ClientStream` that requests with bodies and whole responses
    need. Here are neither, and there are no words for them.
    """

    __slots__ = ()

    errand = ""

    def request_wanted(self) -> None:
        """There is no body."""

    def request_unwanted(self) -> None:
        """There is no body."""

    def send_informational(self, response: ResponseHead) -> None:
        """There is no word for it."""

    def send_head(self, response: ResponseHead) -> None:
        """There is no word for it."""

    def send_whole(self, response: ResponseHead, body: bytes) -> None:
        """There is no word for it."""

    def send_body(self, data: bytes) -> None:
        """There is no word for it."""

    def sink(self) -> Any:
        """Nothing passes by ``send_body``."""

    def sending_socket(self) -> Any:
        """Nothing passes by ``send_body``."""

    def passed(self, size: int) -> None:
        """Nothing does."""

    def send_end(self, trailers: Headers) -> None:
        """Nothing has begun."""

    def flush(self) -> None:
        """Nothing is gathered."""
