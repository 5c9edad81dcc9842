"""Host names are found by the whole name, then by a wildcard for one label."""

import pytest

from txproxy.matching.certificate_hosts import CertificateHosts, plain_name

TABLE = CertificateHosts(
    [
        ("example.com", "apex"),
        ("*.example.com", "wild"),
        ("www.example.com", "www"),
        ("WWW.example.com", "second"),
        ("*.Example.com", "second wild"),
        ("f*.example.org", "partial"),
        ("a.*.example.net", "inner"),
        ("10.0.0.1", "four"),
        ("*.0.0.2", "no address"),
        ("2001:db8::1", "six"),
        ("*", "all"),
    ]
)


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("example.com", "apex"),
        ("EXAMPLE.com", "apex"),
        ("example.com.", "apex"),
        ("www.example.com", "www"),
        ("Www.Example.Com", "www"),
        ("api.example.com", "wild"),
        ("xn--bcher-kva.example.com", "wild"),
        ("a.b.example.com", None),  # one label, and no more
        (".example.com", None),
        ("com", None),
        ("foo.example.org", None),
        ("a.b.example.net", None),
        ("10.0.0.1", "four"),
        ("10.0.0.2", None),
        ("2001:db8::1", "six"),
        ("2001:0DB8:0:0::1", "six"),
        ("2001:db8::2", None),
        ("::zz", None),
        ("", None),
    ],
)
def test_a_name_is_found_whole_or_by_one_wildcard_label(host, found):
    assert TABLE.find(host) == found


def test_nothing_is_found_in_an_empty_table():
    assert CertificateHosts().find("example.com") is None


def test_names_are_compared_in_one_form():
    assert plain_name("A.Example.") == "a.example"
    assert plain_name("::FFFF") == "::ffff"
    assert plain_name("[::1") == "[::1"
