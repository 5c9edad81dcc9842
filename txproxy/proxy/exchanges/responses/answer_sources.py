"""Where the bodies of answers come from that pass what those of upstreams do."""

from __future__ import annotations

from typing import Final

from txproxy.interfaces.answers import BodyReceiver
from txproxy.wire.headers import Headers

_NO_FIELDS: Final = Headers()


class BytesSource:
    """Gives ``data``, all at once (see :class:`txproxy.interfaces.BodySource`): what holds it back has room for it."""

    def __init__(self, data: bytes) -> None:
        self.length: int | None = len(data)
        self._data = data

    def start(self, receiver: BodyReceiver) -> None:
        """See :class:`txproxy.interfaces.BodySource`."""
        if self._data:
            receiver.response_body(self._data)
        receiver.response_end(_NO_FIELDS)

    def pause_response(self) -> None:
        """It has gone."""

    def resume_response(self) -> None:
        """It has gone."""

    def close(self) -> None:
        """It has gone."""
