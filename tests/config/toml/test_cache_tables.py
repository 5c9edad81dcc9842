"""``[cache]`` of a file."""

import pytest

from txproxy.config.toml.file import parse
from txproxy.errors import ConfigError

FORWARD = "[[listeners]]\nlisten = 'tcp:3128'\nmode = 'forward'\n"
TCP = "[[listeners]]\nlisten = 'tcp:5432'\nmode = 'tcp'\npool = 'db'\n[pools.db]\nupstreams = ['db.example:5432']\n"


def read(text):
    return parse(text, "p.toml")


def test_a_file_has_no_cache_unless_it_says_so():
    assert not read(FORWARD).cache


def test_a_size_is_written_as_other_sizes_are():
    assert read("[cache]\nsize = '64M'\n" + FORWARD).cache.size == 64 << 20


def test_the_same_text_read_twice_is_the_same_cache():
    text = "[cache]\nsize = '64M'\n" + FORWARD
    assert read(text) == read(text)
    assert read(text) != read(text.replace("64", "65"))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "p.toml:1: cache: size is missing; accepted is how much memory it may take, such as '64M'"),
        ("size = '64X'", "p.toml:2: cache.size: '64X' is no size"),
        ("size = 100", "p.toml:2: cache.size: 100 is too little for a cache; accepted is 64k or more"),
        ("size = '1M'\ndir = '/x'", "p.toml:3: cache.dir: no such key"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(lines, said):
    with pytest.raises(ConfigError) as fault:
        read(f"[cache]\n{lines}\n{FORWARD}")
    assert said in str(fault.value)


def test_a_cache_that_nobody_uses_is_doubted():
    assert "no listener here reads any" in read("[cache]\nsize = '1M'\n" + TCP).warnings[0]
