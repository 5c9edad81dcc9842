"""Squid's access lists by their names: how lines add up, and lists that are made of others."""

from tests.importers.squid.access_lines import rules


def test_lines_of_one_name_add_up():
    translated = rules(
        "http_access allow x\nhttp_access deny all",
        "acl x dstdomain a.example",
        "acl X dstdomain b.example",
        "acl r url_regex -i abc",
        "acl r url_regex DEF",
    )
    assert translated.allows(url="http://a.example/") and translated.allows(url="http://b.example/")
    # Each line begins with its own case.
    translated = rules("http_access allow r", "acl r url_regex -i abc", "acl r url_regex DEF")
    assert translated.allows(url="http://a/ABC") and translated.allows(url="http://a/DEF")
    assert not translated.allows(url="http://a/def")


def test_a_line_that_comes_after_its_use_holds_too():
    translated = rules("acl x dstdomain a.example\nhttp_access allow x\nacl x dstdomain b.example")
    assert translated.allows(url="http://b.example/")


def test_any_of_and_all_of():
    translated = rules(
        "http_access allow both\nhttp_access allow one\nhttp_access deny all",
        "acl here src 10.0.0.0/8",
        "acl there src 192.0.2.0/24",
        "acl posts method POST",
        "acl puts method PUT",
        "acl both all-of here posts",
        "acl both all-of there puts",
        "acl one any-of !here posts",
    )
    assert translated.allows("POST") and not translated.allows("GET")
    assert translated.allows("PUT", client="192.0.2.1") and translated.allows("GET", client="192.0.2.1")
    assert not translated.allows("PUT")


def test_lists_that_squid_has_by_itself_may_be_named_again():
    translated = rules(
        "http_access allow manager\nhttp_access deny all",
        "acl all src 0.0.0.0/0.0.0.0",
        "acl manager proto cache_object",
        "acl localhost src 127.0.0.1/255.255.255.255",
        "acl to_localhost dst 127.0.0.0/8",
    )
    assert not translated.allows(client="::1") and not translated.allows()
    assert not translated.notes
