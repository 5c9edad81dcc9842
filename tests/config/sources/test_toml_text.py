"""A file of TOML is read whole, or said to be none with its line."""

import pytest

from txproxy.config.sources.toml_text import tables_of, text_of
from txproxy.errors import ConfigError


def test_it_is_text(tmp_path):
    file = tmp_path / "a.toml"
    file.write_bytes(b"\xef\xbb\xbfa = 1\r\n")
    assert text_of(str(file)) == "a = 1\r\n" and tables_of("a = 1\n", "a.toml") == {"a": 1}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "{}: No such file or directory; accepted is a TOML file that can be read"),
        (b"a = 1\nb = \xff", "{}:2: this is not UTF-8; accepted is TOML, which is"),
        (b"#" * ((16 << 20) + 1), "{}: too large; accepted is a TOML file of less than 16 MB"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, data, said):
    file = tmp_path / "a.toml"
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        text_of(str(file))
    assert str(caught.value) == said.format(file)


def test_what_is_no_toml_is_said_with_its_line():
    said = r"^a.toml:2: .* at column 5; accepted is TOML, where texts have quotes, see https://toml.io$"
    with pytest.raises(ConfigError, match=said):
        tables_of("a = 1\nb = x\n", "a.toml")
