"""The page about formats of the access log has all that there is, and what it shows is a format."""

import json
import pathlib
import re

from tests.observe.log_formats.records import NOW, record
from txproxy.config.toml.file import parse
from txproxy.observe.log_formats.connection_facts import Connections
from txproxy.observe.log_formats.line_format import line_format
from txproxy.observe.log_formats.nginx_names import FAMILIES, nginx_fields
from txproxy.observe.log_formats.own_names import own_fields
from txproxy.observe.log_formats.percent_codes import percent_codes

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "log-formats.rst").read_text()
LITERALS = set(re.findall(r"``(.+?)``", PAGE))


def test_each_name_is_there_and_no_other():
    names = {**nginx_fields(Connections()), **own_fields("web")}
    known = {f"${name}" for name in names} | {f"${prefix}NAME" for prefix in FAMILIES}
    assert {word for word in LITERALS if re.fullmatch(r"\$[a-zA-Z0-9_]+", word)} - {"$name"} == known


def test_each_code_is_there_and_no_other():
    codes, worded = percent_codes(nginx_fields(Connections()))
    said = {
        re.sub(r"\{.*?\}", "", word)[1:] for word in LITERALS if re.fullmatch(r"%(\{\w+\})?[<>A-Za-z][\w:>]*", word)
    }
    assert said - {"20", "code"} == {*codes, *worded}


def test_each_key_of_json_is_there():
    keys = json.loads(line_format("json").exchange(record(), NOW))
    section = PAGE[PAGE.index("The format json") :]
    assert set(re.findall(r"``([a-z_]+)``", " ".join(re.findall(r"^``.*$", section, re.MULTILINE)))) == set(keys)


def test_what_is_shown_can_be_typed():
    shown = re.findall(r"--access-log-format '(.*)'", PAGE)
    assert len(shown) == 3
    for format in shown:
        line_format(format)
    assert json.loads(line_format(shown[2]).exchange(record(), NOW))["status"] == 200
    squid = next(word for word in LITERALS if word.startswith("%ts."))
    assert line_format(squid).exchange(record(), NOW) == line_format("squid").exchange(record(), NOW)
    file, more = re.findall(r"::\n\n(    \[\[?(?:log|access_logs)\]\]?\n(?:    .*\n|\n)*)", PAGE)
    rest = '\npool = "a"\n[pools.a]\nupstreams = ["http://127.0.0.1:1"]\n'
    text = re.sub("^    ", "", f"{more.rstrip()}\n{file.rstrip()}", flags=re.MULTILINE)
    config = parse(text + rest, "p.toml")
    assert config.access_log_of(config.listeners[0]) == ("/var/log/txproxy/api.log", "json")
    errors, slow = config.access_logs
    assert errors.conditions.statuses == ("5xx", "499") and slow.conditions.min_duration == 2
