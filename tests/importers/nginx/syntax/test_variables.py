"""nginx's variables, as ours or as what they are known to be."""

import pytest

from txproxy.importers.nginx.syntax.variables import Piece, constant, pieces, template
from txproxy.importers.notes import Untranslatable


def test_known_variables_are_filled_in():
    assert pieces("a$b-${c}d", {"b": "x"}) == (Piece("ax-"), Piece("c", True), Piece("d"))
    assert constant("$a/${b}c", {"a": "1", "b": "2"}) == "1/2c"
    with pytest.raises(Untranslatable, match=r"\$b is not known before a request comes"):
        constant("$a$b", {"a": ""})


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("https://$host$request_uri", "https://$host$path?$query"),
        ("$scheme://$http_host$uri", "$scheme://$host$path"),
        ("$uri$is_args$args", "$path?$query"),
        ("$remote_addr", "$client_ip"),
        ("${host}x $request_method", "${host}x $method"),
        ("$1/$name", "${1}/x"),
        ("a$$", "a$$$$"),
        ("$known", "it"),
    ],
)
def test_ours_stand_for_theirs(text, ours):
    assert template(text, {"known": "it"}, {"1": "${1}", "name": "x"}).replace("$1", "${1}") == ours


def test_what_has_no_counterpart_is_told():
    with pytest.raises(Untranslatable, match=r"\$ssl_cipher is not known here"):
        template("a $ssl_cipher", {})
