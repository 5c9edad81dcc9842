"""The types of Squid's access lists: what each fits, and what cannot be said."""

import pytest

from tests.importers.squid.access_lines import rules


@pytest.mark.parametrize(
    ("acl", "fits", "fits_not"),
    [
        ("src 10.1.0.0/16", {"client": "10.1.2.3"}, {"client": "10.2.0.1"}),
        ("src 10.1.2.3", {"client": "10.1.2.3"}, {"client": "10.1.2.4"}),
        ("src 10.1.0.0/255.255.0.0", {"client": "10.1.2.3"}, {"client": "10.2.0.1"}),
        ("src 10.1.0.5-10.1.0.9", {"client": "10.1.0.9"}, {"client": "10.1.0.10"}),
        ("src 10.1.0.0-10.3.0.0/16", {"client": "10.3.200.1"}, {"client": "10.4.0.0"}),
        ("src 2001:db8::/32", {"client": "2001:db8::1"}, {"client": "10.1.0.1"}),
        ("src ipv6", {"client": "2001:db8::1"}, {"client": "10.1.0.1"}),
        ("src 10.1.0.0/16 10.2.0.0/16", {"client": "10.2.0.1"}, {"client": "10.3.0.1"}),
        ("dst 198.51.100.0/24", {"addresses": ("198.51.100.1",)}, {"addresses": ("192.0.2.1",)}),
        ("dst -n 198.51.100.0/24", {"addresses": ("198.51.100.1",)}, {"addresses": ("192.0.2.1",)}),
        ("dstdomain .a.example", {"url": "http://x.A.example/"}, {"url": "http://ba.example/"}),
        ("dstdomain .a.example", {"url": "http://a.example/"}, {"url": "http://a.example.b/"}),
        ("dstdomain -n a.example", {"url": "http://a.example./"}, {"url": "http://x.a.example/"}),
        ("dstdomain *.a.example .b.example", {"url": "http://b.example/"}, {"url": "http://x.a.example/"}),
        (r"dstdom_regex ^ads?\.", {"url": "http://ad.example/"}, {"url": "http://x.ad.example/"}),
        (r"dstdom_regex -i ADS", {"url": "http://ads.example/"}, {"url": "http://x.example/ads"}),
        (r"url_regex \.gif$", {"url": "http://a.example/x.gif"}, {"url": "http://a.example/x.GIF"}),
        (r"url_regex -i \.gif$ +i Jpg", {"url": "http://a.example/x.GIF"}, {"url": "http://a.example/x.JPG"}),
        (r"url_regex [[:digit:]]{3}", {"url": "http://a.example/123"}, {"url": "http://a.example/12"}),
        (r"urlpath_regex ^/a", {"url": "http://b.example/ab"}, {"url": "http://a.example/b/a"}),
        (r"urlpath_regex ^/a|b$", {"url": "http://b.example/xb"}, {"url": "http://b.example/x/a"}),
        (r"urlpath_regex example", {"url": "http://b.example/example"}, {"url": "http://b.example/"}),
        (r"urlpath_regex -i \.(exe|zip)(\?.*)?$", {"url": "http://a/X.EXE?y"}, {"url": "http://a/x.exe/y"}),
        (r"urlpath_regex /", {"url": "http://a/"}, {"method": "CONNECT", "url": "https://a:443"}),
        ("port 80 8000-8010", {"url": "http://a:8005/"}, {"url": "http://a:8011/"}),
        ("port 0-1024", {"url": "http://a:1/"}, {"url": "http://a:1025/"}),
        ("method get POST", {"method": "GET"}, {"method": "PUT"}),
        ("method GET", {"method": "GET"}, {"method": "HEAD"}),
        ("method GET HEAD", {"method": "HEAD"}, {"method": "PUT"}),
        ("proto HTTP", {"url": "http://a/"}, {"url": "https://a/"}),
        ("browser -i ^curl/ wget", {"fields": ["User-Agent: Curl/8"]}, {"fields": ["User-Agent: libcurl/8"]}),
        ("referer_regex evil", {"fields": ["Referer: http://evil/"]}, {"fields": []}),
        ("req_header X-Tag ^a$", {"fields": ["X-Tag: a"]}, {"fields": ["X-Tag: ab"]}),
        ("time MTWHF 09:00-17:00", {"at": "2026-03-30 17:00:59"}, {"at": "2026-03-30 17:01"}),
        ("time MTWHF 09:00-17:00", {"at": "2026-03-30 09:00"}, {"at": "2026-03-29 12:00"}),
        ("time D 20:00-24:00", {"at": "2026-03-30 23:59:59"}, {"at": "2026-03-31 00:00"}),
        ("time S", {"at": "2026-03-29 00:00"}, {"at": "2026-03-30 00:00"}),
        ("time 06:00-07:30", {"at": "2026-03-29 07:30"}, {"at": "2026-03-30 07:31"}),
        ("time A 08:00-10:00 S 09:00-10:00", {"at": "2026-03-28 08:30"}, {"at": "2026-03-29 08:30"}),
    ],
)
def test_lists_fit_what_squid_says(acl, fits, fits_not):
    for access, good in (("allow x\nhttp_access deny all", True), ("deny !x\nhttp_access allow all", True)):
        if acl.startswith(("browser", "referer_regex", "req_header")) and "!" in access:
            continue
        translated = rules(f"http_access {access}", f"acl x {acl}")
        assert translated.allows(**fits) is good
        assert translated.allows(**fits_not) is not good


@pytest.mark.parametrize(
    ("acl", "says"),
    [
        ("src host.example", "host.example is no network: names are not looked up for it"),
        ("src 10.0.0.1-::1", "10.0.0.1-::1 is no network"),
        ("dst nowhere", "nowhere is no network"),
        ("dstdomain .", ". is no domain"),
        ('dstdomain "/nonexistent"', '"/nonexistent": No such file or directory'),
        ("dstdom_regex a(b", "a(b is no expression that can be translated"),
        ("urlpath_regex (^/a)", "where a path begins can only be said at the beginning"),
        ("port http", "http is no port"),
        ("port 1-99999", "1-99999 is no port"),
        ("time X", "X is no day"),
        ("time 25:00", "25:00 is no time of day"),
        ("time 10:00-09:00", "10:00-09:00 is no time of day"),
        ("browser -i", "it has no expressions"),
        ("req_header X-Tag", "it names no field, or no expression"),
        ("external ldap_group staff", "there is nothing like the type external here"),
        ("any-of x", "it stands for itself"),
        ("any-of unheard-of", "there is no acl unheard-of"),
        ("proxy_auth bob", "there is no auth_param that says who the users are"),
    ],
)
def test_a_list_that_cannot_be_said_says_why(acl, says):
    translated = rules("http_access allow x", f"acl x {acl}")
    assert not translated.allows()
    assert translated.notes[0].startswith("squid.conf:2: acl: x: ") and says in translated.notes[0]
