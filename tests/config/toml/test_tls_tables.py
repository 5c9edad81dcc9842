"""A certificate for trials in the place of those of files."""

import pytest

from txproxy.tls.listener_contexts import HTTP1, WITH_HTTP2

REST = '\npool = "app"\n[pools.app]\nupstreams = "http://a"\n'
TLS = '[[listeners]]\ntls_listen = "443"\n'


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("self_signed = true", ()),
        ('self_signed = "Shop.example."', ("shop.example",)),
        ('self_signed = ["a.example", "10.0.0.1"]', ("a.example", "10.0.0.1")),
        ('self_signed = "${TRUE:-true}"', ()),
    ],
)
def test_it_is_made_for_the_hosts_that_are_named(read, text, names):
    config = read(f"{TLS}{text}{REST}")
    (tls,) = (one.tls for one in config.listeners)
    assert tls.certificates == () and tls.alpn == WITH_HTTP2
    assert tls.self_signed.names == ("localhost", "127.0.0.1", "::1", *names)
    (warning,) = config.warnings
    assert warning.endswith(":3: listeners[0].self_signed: no client can verify this certificate: it is for trials")
    assert read(f"{TLS}{text}{REST}") == config, "a reload changes nothing"


def test_other_modes_have_it_as_well(read):
    tls = read(f'{TLS}mode = "forward"\nself_signed = true\nhttp2 = false\n').listeners[0].tls
    assert tls.alpn == HTTP1 and tls.self_signed is not None
    text = f'{TLS}mode = "tcp"\nself_signed = true\ntls = {{ min_version = "1.3" }}{REST}'
    tls = read(text.replace('"http://a"', '"a:1"')).listeners[0].tls
    assert (tls.alpn, tls.min_version) == ((), "1.3")


def test_none_is_none(faults):
    assert faults(f"{TLS}self_signed = false{REST}") == [
        "2: listeners[0].tls_listen: it needs certificates; accepted is certificates = [{ cert = FILE, key = FILE }], "
        "or self_signed = true for trials"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f"{TLS}self_signed = true\ncertificates = 'a.pem'{REST}",
            "self_signed: there are certificates; accepted is one",
        ),
        (
            f"[[listeners]]\nlisten = '1'\nself_signed = true{REST}",
            "self_signed: nothing is served with them; accepted",
        ),
        (f"{TLS}self_signed = ['a..b']{REST}", "self_signed[0]: "),
        (f"{TLS}self_signed = 1{REST}", "self_signed: 1 is no text"),
        (f"{TLS}self_signed = []{REST}", "self_signed: there is none in it"),
    ],
)
def test_what_cannot_be_is_said(faults, text, said):
    assert any(f"listeners[0].{said}" in one for one in faults(text)), faults(text)
