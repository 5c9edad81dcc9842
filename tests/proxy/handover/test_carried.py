"""What goes from one program to another: plain values, and the same again after them."""

import pickle
import pickletools

import attrs
import pytest

from txproxy.net.transports.handed_transports import HandedSocket
from txproxy.proxy.handover.carried import (
    Carried,
    CarriedAddress,
    CarriedAttempt,
    CarriedContext,
    CarriedExchange,
    CarriedTunnel,
)
from txproxy.runtime.workers.channel import MessageBuffer, encoded

ADDRESS = CarriedAddress(host="a", port=443, path="", bind="", pinned=("10.0.0.1",), through="http://parent:3128")
ATTEMPT = CarriedAttempt(
    address=ADDRESS, pool="app", upstream="http://a", began=0.0, connected=0.1, ended=0.2, reused=False, status=0,
    fault=(502, "connection_refused", "nobody there"), peer=("10.0.0.1", 443),
)  # fmt: skip
CONTEXT = CarriedContext(
    client_ip="10.0.0.9", scheme="http", user="ann", groups=("staff",), rule="all",
    verdict=("allow", "all", "", ""), limit=("rate", "delayed"), traced=(b"1" * 32, b"2" * 16, True),
    places=(("few", ("10.0.0.9",)),),
)  # fmt: skip
EXCHANGE = CarriedExchange(
    method=b"CONNECT", path=b"", authority=b"a:443", scheme=None, minor=1, fields=b"Host: a", context=CONTEXT,
    status=200, reason=None, response_fields=b"", age=3.5, first_byte=0.2, attempts=(ATTEMPT,),
)  # fmt: skip
TUNNEL = CarriedTunnel(
    received=5, sent=6, from_client=b"abc", from_upstream=bytes(range(256)), client_ended=True, upstream_ended=False,
    silence=60.0, left=59.0, age=None, oldest=None,
)  # fmt: skip
CLIENT = HandedSocket(2, ("10.0.0.9", 5000), (("10.0.0.8", 1), ("10.0.0.7", 2)))
WHOLE = Carried(
    client=CLIENT, peer_ip="10.0.0.8", peer_scheme="http", upstream=HandedSocket(2, ("10.0.0.1", 443)),
    tunnel=TUNNEL, exchange=EXCHANGE, server_name="a",
)  # fmt: skip
RESTING = Carried(client=CLIENT, peer_ip="10.0.0.8", peer_scheme="http", early=b"GET", left=3.0)


@pytest.mark.parametrize("carried", [WHOLE, RESTING])
def test_it_is_the_same_again_however_its_bytes_are_cut(carried):
    data = encoded("connection", carried.plain())
    for cut in range(len(data)):
        buffer = MessageBuffer()
        messages = buffer.take(data[:cut], ()) + buffer.take(data[cut:], ())
        assert [Carried.of(one.content) for one in messages] == [carried]


def test_a_program_with_other_classes_could_read_it():
    operations = pickletools.genops(pickle.dumps(WHOLE.plain(), pickle.HIGHEST_PROTOCOL))
    assert not {"GLOBAL", "STACK_GLOBAL", "REDUCE", "NEWOBJ"}.intersection(one.name for one, *_ in operations)


@pytest.mark.parametrize("spoilt", [{"more": 1}, {"tunnel": {"received": 1}}, {"client": {}}])
def test_what_is_not_all_of_it_is_no_connection(spoilt):
    with pytest.raises(TypeError):
        Carried.of({**WHOLE.plain(), **spoilt})
    plain = WHOLE.plain()
    del plain["tunnel"]
    with pytest.raises(KeyError):
        Carried.of(plain)


def test_a_place_is_told_where_there_is_one_as_programs_before_know_of_none():
    assert "place" not in WHOLE.plain()
    carried = attrs.evolve(WHOLE, place=(1 << 63) - 1)
    assert Carried.of(carried.plain()) == carried
