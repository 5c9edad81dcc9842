"""The order of keys has each key that a file may have."""

from tests.config.toml.documents import DOCUMENTS, toml
from txproxy.cli.files.key_order import KEY_ORDER
from txproxy.config.toml.file import parse
from txproxy.config.toml.tables import Findings


def test_each_key_has_its_place():
    findings = Findings()
    for document in DOCUMENTS.values():
        try:
            parse(toml(document), "proxy.toml", findings)
        except ValueError:
            pass
    asked = {key.rpartition(".")[2].removesuffix("[]") for key in findings.asked}
    assert not asked - {*KEY_ORDER, "NAME"}
    assert len(KEY_ORDER) == len(set(KEY_ORDER))
