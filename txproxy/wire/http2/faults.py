"""What is wrong with what a peer has sent (RFC 9113 section 5.4), and the codes that it is told by (section 7)."""

from __future__ import annotations

from typing import Final

from txproxy.errors import TxproxyError

NO_ERROR: Final = 0x0
PROTOCOL_ERROR: Final = 0x1
INTERNAL_ERROR: Final = 0x2
FLOW_CONTROL_ERROR: Final = 0x3
SETTINGS_TIMEOUT: Final = 0x4
STREAM_CLOSED: Final = 0x5
FRAME_SIZE_ERROR: Final = 0x6
REFUSED_STREAM: Final = 0x7
CANCEL: Final = 0x8
COMPRESSION_ERROR: Final = 0x9
CONNECT_ERROR: Final = 0xA
ENHANCE_YOUR_CALM: Final = 0xB
INADEQUATE_SECURITY: Final = 0xC
HTTP_1_1_REQUIRED: Final = 0xD


class ConnectionFault(TxproxyError):
    """The connection cannot go on: GOAWAY with ``code``, and ``detail`` for the log, before it is closed."""

    def __init__(self, detail: str, code: int = PROTOCOL_ERROR) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code


class StreamFault(TxproxyError):
    """One stream cannot go on: RST_STREAM with ``code``, and ``detail`` for the log. The connection goes on."""

    def __init__(self, detail: str, code: int = PROTOCOL_ERROR) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
