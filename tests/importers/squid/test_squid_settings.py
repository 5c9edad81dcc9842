"""What is found in a file: words that have to be there, and tables that are nobody else's."""

import pytest

from txproxy.importers.notes import Untranslatable
from txproxy.importers.squid.reader import Directive
from txproxy.importers.squid.squid_settings import Line, Peer, Settings, word_of

DIRECTIVE = Directive("squid.conf", 1, "via", ("on", "x"))


def test_a_word_that_has_to_be_there():
    assert (word_of(DIRECTIVE), word_of(DIRECTIVE, 1)) == ("on", "x")
    with pytest.raises(Untranslatable, match="it says too little"):
        word_of(DIRECTIVE, 2)


def test_what_is_found_in_one_file_is_not_found_in_another():
    one, other = Settings(), Settings()
    one.listener["bind"] = "::1"
    one.always_direct.append(Line(True))
    one.peers["a"] = Peer(DIRECTIVE, "http://a:1")
    one.peers["a"].access.append(Line(False, ()))
    assert other == Settings() != one
    assert not Peer(DIRECTIVE, "http://a:1").access


def test_what_squid_does_unless_it_is_told_otherwise():
    settings = Settings()
    assert (settings.via, settings.all_to_parents, settings.removes_all) == (True, False, False)
    assert Peer(DIRECTIVE, "http://a:1").weight == 1 and Line(True).hosts is None
