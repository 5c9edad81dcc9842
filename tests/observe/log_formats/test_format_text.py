"""How a text is read."""

import pytest

from tests.observe.log_formats.records import NOW, record
from txproxy.errors import ConfigError
from txproxy.observe.log_formats.escaping import in_json
from txproxy.observe.log_formats.format_text import FormatReader, Placed
from txproxy.observe.log_formats.log_field import plain, text

STATUS, AGENT = plain(lambda record, now: b"200"), text(lambda record, now: b"curl")


def reader():
    return FormatReader(
        {"status": STATUS, "status_text": AGENT},
        {"s": STATUS, ">s": STATUS, "sh": AGENT},
        {"i": (lambda word: text(lambda record, now: word.encode()), None), "t": (lambda word: STATUS, "now")},
    )


def read(written):
    return [
        piece.field.get(record(), NOW) if isinstance(piece, Placed) else piece
        for piece in reader().read(written).pieces
    ]


@pytest.mark.parametrize(
    ("written", "pieces"),
    [
        ("$status", [b"200"]),
        ("a $status b", [b"a ", b"200", b" b"]),
        ("$status$status_text", [b"200", b"curl"]),
        ("${status}_text", [b"200", b"_text"]),
        ("$ 5 $1 $$status", [b"$ 5 $1 $", b"200"]),
        ("100%% %s", [b"100% ", b"200"]),
        ("%sh %s", [b"curl", b" ", b"200"]),
        ("%>s%s", [b"200", b"200"]),
        (r"\"%s\"\t\\", [b'"', b"200", b'"\t\\']),
        ("%{Host}i", [b"Host"]),
        ("%t]", [b"200", b"]"]),
        ("é %s", ["é ".encode(), b"200"]),
    ],
)
def test_texts_are_literals_and_fields_in_turn(written, pieces):
    assert read(written) == pieces


def test_what_is_named_is_known():
    written = reader().read("escape=json $status ${status_text} %s")
    assert written.named == {"status", "status_text"} and written.missing == b""
    assert all(piece.escape is in_json for piece in written.pieces if isinstance(piece, Placed))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "'' says nothing of a request; accepted are combined"),
        ("jsn", "(is json meant?)"),
        ("$stats", r"$stats is not known; accepted are $status"),
        ("%q", "%q is not known"),
        ("%", "there is no code after the %"),
        ("%i", "%i needs a name in braces; accepted is %{NAME}i"),
        ("%{x}s", "%{x}s: %s takes nothing in braces; accepted is %s"),
        (r"%s\n", r"'\\n' stands for nothing"),
        ("%s\\", r"'\\' stands for nothing"),
        ("escape=none $status", "escape=none is not known; accepted are escape=default and escape=json"),
    ],
)
def test_what_is_wrong_is_said(written, said):
    with pytest.raises(ConfigError) as fault:
        reader().read(written)
    assert said in str(fault.value) and "\n" not in str(fault.value)
