"""A certificate for trials."""

import pickle

import pytest

from tests.tls.authority import Ends
from txproxy.errors import ConfigError
from txproxy.tls.certificates import pair_in
from txproxy.tls.listener_contexts import ListenerTls, ServerTls
from txproxy.tls.self_signed import self_signed, served_name
from txproxy.tls.verification import client_connections


def test_it_is_for_this_machine_and_the_hosts_that_are_named():
    made = self_signed(["shop.example", "10.0.0.1", "localhost", "a" * 60 + "." + "b" * 60 + ".example"])
    names = ("localhost", "127.0.0.1", "::1", "shop.example", "10.0.0.1", "a" * 60 + "." + "b" * 60 + ".example")
    assert made.names == names
    pair = pair_in(made.pem)
    assert set(pair.names) == set(names)
    assert "CN=shop.example" in pair.chain[0].subject.rfc4514_string() and "trials" in str(pair.chain[0].subject)
    assert 89 < (pair.not_after - pair.chain[0].not_valid_before_utc).days < 91


def test_each_is_another_and_all_for_the_same_names_are_as_good():
    one, other = self_signed(), self_signed()
    assert one == other and hash(one) == hash(other) and one.pem != other.pem
    assert one != self_signed(["a.example"]) and "PRIVATE" not in repr(one)
    assert pickle.loads(pickle.dumps(one)).pem == one.pem


def test_it_is_served_and_whoever_trusts_it_can_verify_it(tmp_path):
    made = self_signed(["shop.example"])
    tls = ServerTls(ListenerTls(certificates=(), self_signed=made))
    assert tls.serves("shop.example") and tls.serves("::1") and not tls.serves("other.example")
    assert not tls.check()
    (tmp_path / "ca.pem").write_bytes(made.pem)
    for trusted, name, well in ((True, "shop.example", True), (True, "b.example", False), (False, "localhost", False)):
        connections = client_connections(name, str(tmp_path / "ca.pem") if trusted else None)
        ends = Ends(tls.context(), None, client=connections.clientConnectionForTLS(None))
        assert (not ends.faults) is well, (name, ends.faults)


@pytest.mark.parametrize("text", ["a..b", "http://a", "a:1", "", ".".join(["a" * 60] * 5)])
def test_what_is_no_host_is_none(text):
    with pytest.raises(ConfigError, match="accepted"):
        served_name(text)
