"""How TLS upstreams are verified: whose name their certificate has to have, and whom they share connections with."""

import attrs
import pytest

from txproxy.errors import ConfigError
from txproxy.interfaces import Address
from txproxy.upstreams.upstream_tls import UpstreamTls, offered
from txproxy.upstreams.upstream_urls import parse_upstream


@pytest.mark.parametrize(("named", "verified"), [(None, "host.example"), ("other.example", "other.example")])
def test_an_upstream_is_verified_by_its_host_or_by_the_name_that_is_told(named, verified):
    address = parse_upstream("https://host.example", UpstreamTls(server_name=named)).address
    assert (address.host, address.server_name) == ("host.example", verified)
    assert address.tls is UpstreamTls().connections(verified), "one that is made once for a name"


def test_what_is_verified_in_another_way_shares_no_connections():
    def key(**settings):
        return Address("host.example", 443, tls=UpstreamTls(**settings).connections("host.example")).key

    assert key() == key()
    assert key(insecure=True) != key() != key(server_name="other.example")


def test_what_is_offered_is_what_may_be_spoken():
    def protocols(*alpn):
        return parse_upstream("https://a", UpstreamTls(alpn=alpn)).address.protocols

    assert protocols("h2", "http/1.1") == ("h2", "http/1.1") and protocols("h2") == ("h2",)
    assert protocols("http/1.1") == protocols() == ()


@pytest.mark.parametrize(("names", "said"), [(["h3"], "'h3' is no protocol"), (["h2", "h2"], "'h2' is there twice")])
def test_what_cannot_be_offered_is_a_config_error(names, said):
    assert offered(["http/1.1", "h2"]) == ("http/1.1", "h2")
    with pytest.raises(ConfigError, match=said):
        offered(names)


@pytest.mark.parametrize("setting", ["ca_file", "cert_file"])
def test_a_file_that_is_not_there_is_a_config_error_that_names_it(setting, tmp_path):
    tls = UpstreamTls(**{setting: str(tmp_path / "missing.pem")})
    with pytest.raises(ConfigError, match=r"missing\.pem"):
        tls.connections("host.example")


def test_a_key_needs_its_certificate(tmp_path):
    with pytest.raises(ConfigError, match=r"needs .*cert as well"):
        UpstreamTls(key_file=str(tmp_path / "key.pem")).connections("host.example")


def test_settings_that_were_read_twice_are_equal():
    assert UpstreamTls(ca_file="a") == UpstreamTls(ca_file="a") != UpstreamTls(ca_file="b")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        UpstreamTls().insecure = True
