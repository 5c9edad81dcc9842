"""Each directive that nothing was made of has a line."""

import pytest

from tests.importers.nginx.imported import server
from txproxy.importers.nginx.directive_reasons import REASONS


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("gzip on;", "gzip: responses are not compressed here: servers do it"),
        ("sendfile on;", "sendfile: it is done by itself"),
        ("frobnicate 1;", "frobnicate: there is nothing like it here"),
        ("types { text/x x; }", "types: the types of files are known by their endings"),
        ("ssl_crl x;", "ssl_crl: no lists of revoked certificates are read: what it refuses is not refused"),
        ("location / { return 204; } ssl_stapling on;", "ssl_stapling: no proof of revocation"),
    ],
)
def test_the_reason_is_told(line, why):
    assert any(note.startswith(why) for note in server(line + " location /x { return 204; }").notes)


def test_each_reason_is_a_sentence_without_an_end():
    assert all(why and why[-1] != "." and "\n" not in why for why in REASONS.values())
