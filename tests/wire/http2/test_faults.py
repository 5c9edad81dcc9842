"""The codes of RFC 9113 section 7."""

from h2.errors import ErrorCodes

from txproxy.wire.http2 import faults
from txproxy.wire.http2.faults import ConnectionFault, StreamFault


def test_codes_are_those_that_others_know() -> None:
    assert {code.name: code.value for code in ErrorCodes} == {
        name: value for name, value in vars(faults).items() if name.isupper() and isinstance(value, int)
    }


def test_what_is_wrong_is_the_fault_of_the_peer_unless_it_is_said() -> None:
    for kind in (ConnectionFault, StreamFault):
        fault = kind("why")
        assert (str(fault), fault.detail, fault.code) == ("why", "why", faults.PROTOCOL_ERROR)
