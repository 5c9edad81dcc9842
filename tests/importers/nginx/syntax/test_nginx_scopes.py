"""What holds in a block, and of what nothing was made."""

from txproxy.importers.nginx.syntax.blocks import Reader
from txproxy.importers.nginx.syntax.nginx_scopes import Notes, Scope, all_taken, not_taken

TEXT = "server { a 1; b 2; b 3; c x; location { b 4; d {} inner { a 5; } } }"


def scopes():
    (server,) = Reader("/etc/x").read(TEXT, "/etc/x")
    outer = Scope(server, None, Notes("/etc/x"))
    return outer, outer.within(server.block[-1])


def words(directives):
    return [one.first for one in directives]


def test_a_directive_is_inherited_where_there_is_none_of_its_name():
    outer, inner = scopes()
    assert words(outer.all("b")) == ["2", "3"] and words(inner.all("b")) == ["4"]
    assert words(inner.all("a")) == ["1"] and words(inner.all("a", "b")) == ["4"] and inner.all("z") == []
    assert inner.word("a") == "1" and inner.word("z", "no") == "no" and outer.last("b").first == "3"
    assert inner.own("a") == [] and outer.file("c") == "/etc/x" and outer.file("z") == ""


def test_what_nobody_has_asked_for_is_left():
    outer, inner = scopes()
    inner.all("a")
    assert [one.name for one in not_taken([outer.directive])] == ["b", "b", "c", "b", "d", "inner"]
    outer.notes.say(inner.directive.block[2], "not done")
    assert [one.name for one in not_taken([outer.directive])] == ["b", "b", "c", "b", "d", "a"]
    all_taken([outer.directive])
    assert [*not_taken([outer.directive])] == []


def test_each_line_is_there_once():
    outer, inner = scopes()
    for _ in range(2):
        outer.notes.say(inner.directive, "not done")
    outer.notes.of_file("x", "so it is")
    assert outer.notes.lines() == ("/etc/x:1: location: not done", "/etc/x: x: so it is")
