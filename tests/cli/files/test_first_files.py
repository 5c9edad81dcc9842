"""The texts of first configurations."""

from txproxy.cli.files.first_files import FIRST_FILES, Surroundings, quoted
from txproxy.cli.files.machine import FoundCertificate
from txproxy.config.sources.toml_text import tables_of

AROUND = Surroundings(
    name="FILE",
    listen="127.0.0.1:1",
    place="127.0.0.1:1",
    tls_listen="127.0.0.1:2",
    admin="127.0.0.1:3",
    upstreams=["http://a", 'b"c'],
    certificates=[FoundCertificate("a.pem", None, ("a.example",)), FoundCertificate("b.pem", "b.key", ("b", "c"))],
    users="who is",
)


def test_texts_are_texts_whatever_is_in_them():
    for text in ('a"b\\c', "é\x7f\x01", "${HOME}", "$x"):
        assert tables_of(f"a = {quoted(text)}", "")["a"] == text.replace("${", "$${")


def test_what_there_is_is_in_each():
    for kind, write in FIRST_FILES.items():
        found = tables_of(write(AROUND), "")
        (listener,) = found["listeners"]
        assert listener["listen"] == "127.0.0.1:1" and listener["tls_listen"] == "127.0.0.1:2"
        assert listener["certificates"] == [{"cert": "a.pem"}, {"cert": "b.pem", "key": "b.key"}]
        assert found["admin"]["listen"] == "127.0.0.1:3"
        if kind in ("forward", "egress"):
            assert listener["auth"] == {"password_file": "who is"} and "-U NAME " in write(AROUND)
        else:
            assert found["pools"]["app"]["upstreams"] == ["http://a", 'b"c']
