"""Values that stand in the environment, or alone in a file."""

import os

import pytest

from tests.config.everything import write_everything
from tests.config.toml.documents import DOCUMENTS, around, toml, with_value
from txproxy.config.findings import Findings
from txproxy.config.sources.outside_values import Expansion, Outside, escaped, is_template
from txproxy.config.sources.toml_text import tables_of
from txproxy.config.toml.file import load, load_admin, parse
from txproxy.errors import ConfigError, Finding

LEAST = '[[listeners]]\nlisten = "127.0.0.1:8080"\npool = "app"\n[pools.app]\nupstreams = ["http://127.0.0.1:8001"]\n'
ENVIRON = {"HOST": "a.example", "_X1": "y", "EMPTY": "", "PRICE": "5$ a $host", "BYTES": "\udcff"}
ROUTE = ("routes", 0)


def read(text, environ=ENVIRON, file="proxy.toml"):
    return parse(text, str(file), environ=environ)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${HOST}", "a.example"),
        ("http://${HOST}:80/${_X1}", "http://a.example:80/y"),
        ("${GONE:-b}${EMPTY:-c}", "bc"),
        ("<${EMPTY}${GONE:-}>", "<>"),
        ("$${HOST} $$${HOST}", "${HOST} $${HOST}"),
        # Of others: templates, logs, expressions.
        (
            "$host ${host} $HOST ${1} ${} $$ ~x$ ${HOST-x} ${a:-b}",
            "$host ${host} $HOST ${1} ${} $$ ~x$ ${HOST-x} ${a:-b}",
        ),
        ("${PRICE}", "5$ a $host"),
    ],
)
def test_texts_have_values_of_the_environment_in_them(text, value):
    outside = Outside()
    expansion = Expansion(ENVIRON, outside)
    assert expansion.expanded({"a": [text, 1], "b": {"c": text}}) == {"a": [value, 1], "b": {"c": value}}
    assert expansion.faults == []
    assert set(outside.references) == ({("a", 0), ("b", "c")} if text != value and "$$" not in text else set())


def test_what_is_escaped_is_just_that():
    for text in ("${HOST}", "a $${HOST} ${GONE:-x}", "$host"):
        assert Expansion({}, Outside()).expanded(escaped(text)) == text


@pytest.mark.parametrize("name", ["${HOST}", "a-${GONE:-b}", "$${HOST}"])
def test_names_are_what_the_file_says_they_are(name):
    with pytest.raises(ConfigError) as caught:
        read(LEAST + f'[pools."{name}"]\nupstreams = ["http://127.0.0.1:8002"]\n')
    call = name[name.index("$") :]
    assert str(caught.value) == (
        f"proxy.toml:6: pools.'{name}': {call} stands in a name, and names are what the file says they are; accepted "
        "is the name itself"
    )


def test_names_in_lower_case_are_no_business_of_the_environment():
    assert Expansion(ENVIRON, Outside()).expanded({"${host}": 1, "a": {"$b": "${HOST}"}}) == {
        "${host}": 1,
        "a": {"$b": "a.example"},
    }


@pytest.mark.parametrize(
    ("keys", "template"),
    [
        (("request_headers", "set", "Authorization"), True),
        (("response_headers", "add", "X", 0), True),
        (("response_headers", "by_status", 0, "add", "X"), True),
        (("response_headers", "by_status", 0, "remove", 0), False),
        (("map_location", "http://a/"), True),
        (("cookie_paths", "/a"), False),
        (("redirect",), True),
        (("rewrite", "replacement"), True),
        (("request_headers", "remove", 0), False),
        (("rewrite", "pattern"), False),
        (("path",), False),
    ],
)
def test_in_templates_a_value_is_no_template(keys, template):
    assert is_template((*ROUTE, *keys)) is template
    found = Expansion(ENVIRON, Outside()).expanded("${PRICE} $host $${HOST}", (*ROUTE, *keys))
    assert found == ("5$$ a $$host $host $${HOST}" if template else "5$ a $host $host ${HOST}")


def test_groups_of_an_expression_are_its_own():
    rewrite = {"pattern": "/(?P<HOST>[a-z]+)/(.*)", "replacement": "/${HOST}/$2"}
    assert Expansion(ENVIRON, Outside()).expanded(rewrite) == rewrite


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${GONE}", "there is no variable GONE in the environment; accepted is one that is set, or ${GONE:-DEFAULT}"),
        ("${BYTES}", "what BYTES gives is no UTF-8; accepted is a text"),
    ],
)
def test_what_is_not_there_is_said_with_its_place(text, said):
    with pytest.raises(ConfigError) as caught:
        read(f'via = "{text}"\n{LEAST}[log]\naccess = "${{GONE}}"\n')
    first, second = str(caught.value).splitlines()
    assert first == f"proxy.toml:1: via: {said}"
    assert second.startswith("proxy.toml:8: log.access: there is no variable GONE")


# -- files


def with_file(value):
    return LEAST + f'[[routes]]\nname = "r"\npool = "app"\nrequest_headers = {{ set = {{ A = {value} }} }}\n'


def header(config):
    return config.routes[0].request.set_headers


def test_a_value_stands_alone_in_a_file_that_is_named_from_the_configuration(tmp_path):
    file = tmp_path / "proxy.toml"
    for data, value in ((b"s3cret\n", "s3cret"), (b"s3cret\r\n", "s3cret"), (b"s\n\n", None), (b"a$b", "a$$b")):
        (tmp_path / "key").write_bytes(data)
        for text in ('{ file = "key" }', '{ file = "${FOLDER}/key" }', '[{ file = "key" }]'):
            if value is None:
                with pytest.raises(ConfigError, match=r"no field.s value"):
                    read(with_file(text), {"FOLDER": str(tmp_path)}, file)
            else:
                assert header(read(with_file(text), {"FOLDER": str(tmp_path)}, file)) == (("A", value),)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "No such file or directory; accepted is a file with the value in it"),
        (b"\xff", "this is no UTF-8"),
        (b"x" * (1 << 20) + b"x", "it is too large"),
        ("folder", "Is a directory"),
        ("pipe", "this is no regular file"),
    ],
)
def test_a_file_that_is_none_is_said_as_it_is_written(tmp_path, data, said):
    path = tmp_path / "key"
    if data == "folder":
        path.mkdir()
    elif data == "pipe":
        os.mkfifo(path)
    elif data is not None:
        path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        read(with_file('{ file = "${FOLDER}/key" }'), {"FOLDER": str(tmp_path)}, tmp_path / "proxy.toml")
    place = f"{tmp_path}/proxy.toml:9: routes[0].request_headers.set.A"
    assert str(caught.value).startswith(f"{place}: {{ file = '${{FOLDER}}/key' }}: {said}")


def test_a_table_whose_keys_are_free_may_have_a_file():
    config = read(LEAST + '[[routes]]\nname = "r"\npool = "app"\nquery = { file = "x" }\nheaders = { file = "y" }\n')
    assert config.routes[0].match.query == (("file", "x"),)


# -- what they may be


def test_everything_may_stand_outside_and_is_the_same(tmp_path):
    file = write_everything(tmp_path)
    data = tables_of(file.read_text(), "")
    environ = {}

    def by_environment(value):
        name = f"V{len(environ)}"
        environ[name] = value
        return f"${{{name}}}"

    def by_file(value):
        name = f"value{len(environ)}"
        environ[name] = value
        (tmp_path / name).write_text(f"{value}\n")
        return {"file": name}

    def moved(value, out, key=""):
        if isinstance(value, dict) and "use" in value:
            # Settings of code of one's own are what they are.
            return value
        if isinstance(value, dict):
            return {name: moved(item, out, name) for name, item in value.items()}
        if isinstance(value, list):
            return [moved(item, out, key) for item in value]
        # In templates of its own a dollar is one; what is included was read before; filters are files.
        if isinstance(value, str) and ("$" in value or key == "include" or (out is by_file and key == "filters")):
            return value
        # Where a text may stand as well, it is that.
        if (isinstance(value, bool) and key.startswith("X-")) or (isinstance(value, int) and "ports" in key):
            return value
        return out(str(value).lower() if isinstance(value, bool) else str(value))

    known = load(str(file))
    for out in (by_environment, by_file):
        environ.clear()
        config = parse(toml(moved(data, out)), str(file), environ=environ)
        assert config == known
        assert len(environ) > 300


@pytest.mark.no_cover
@pytest.mark.parametrize("kind", DOCUMENTS)
def test_no_value_is_told(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    secret = "s3cret: of nobody! " * 9
    findings = Findings()
    try:
        parse(toml(DOCUMENTS[kind]), "proxy.toml", findings)
    except ConfigError:
        pass
    for key in findings.asked:
        document = with_value(around(DOCUMENTS[kind], key), key, "${SECRET}")
        try:
            config = parse(document, "proxy.toml", environ={"SECRET": secret})
        except ConfigError as fault:
            assert "s3c" not in str(fault) and "nobody" not in str(fault), key
        else:
            assert "s3cret" not in "".join(config.warnings)


SHORT = """
[[listeners]]
name = "${A}"
listen = "127.0.0.1:8080"
routes = ["${B}"]

[[listeners]]
name = "${A}"
listen = "127.0.0.1:${P}"
pool = "${C}x"

[pools.app]
upstreams = ["http://127.0.0.1:1"]
health = { interval = "${C}" }

[[routes]]
name = "${B}"
path = "~("
pool = "${C}"
mirror = "${D:-appp}"

[[routes]]
name = "${B}"
listeners = ["${A}y", "ab"]
redirect = "https://a/${C}$"
"""


def test_no_error_tells_a_short_value_where_others_are_wrong(tmp_path):
    values = {"A": "q7a", "B": "q7b", "C": "q7c", "P": "8080", "B2": "q7"}
    with pytest.raises(ConfigError) as caught:
        read(SHORT, values)
    said = str(caught.value)
    assert "q7" not in said and len(said.splitlines()) > 6, said
    assert "${A}" in said and "${B}" in said and "${C}" in said
    (tmp_path / "pin").write_text("q7d\n")
    wrong = (
        LEAST + "[[routes]]\nname = { file = 'pin' }\npool = 'no'\n[[routes]]\nname = { file = 'pin' }\npool = 'app'\n"
    )
    with pytest.raises(ConfigError) as caught:
        read(wrong, file=tmp_path / "proxy.toml")
    assert "q7d" not in str(caught.value) and "{ file = 'pin' }" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('certificates = [{ cert = "${V}" }]\ntls_listen = "tcp:1"', "certificates[0]: cert /x/${V}: No such file"),
        ('mode = "forward"\nfilters = [{ file = "${V}" , action = "deny" }]', "${V}"),
    ],
)
def test_what_is_said_of_a_table_does_not_show_its_values(text, said):
    with pytest.raises(ConfigError) as caught:
        read(f"{LEAST.partition('[pools')[0]}{text}\n{LEAST[LEAST.index('[pools') :]}", {"V": "q7"}, "/x/proxy.toml")
    assert said in str(caught.value) and "q7" not in str(caught.value)


def test_what_is_said_of_an_upstream_does_not_show_it():
    text = LEAST.replace('["http://127.0.0.1:8001"]', '[{ url = "${V}" }]')
    with pytest.raises(ConfigError, match=r"pools.app.upstreams\[0\]") as caught:
        read(text, {"V": "q7:"})
    assert "q7" not in str(caught.value)


def test_what_is_a_word_stays_a_word():
    outside = Outside()
    outside.add(("a",), "${WORD}", "Accept")
    said = outside.hidden(Finding(("c",), "'accept' is there", "accepted is another"))
    assert str(said) == "c: ${WORD} is there; accepted is another"


def test_what_is_said_elsewhere_of_a_value_does_not_show_it():
    outside = Outside()
    outside.add(("a", "b"), "${KEY}", "0123456789abcdef")
    for said in ("0123456789abcdef is there", "'0123456789...' is there"):
        for path in (("a",), ("c",), ()):
            assert "012345" not in str(outside.hidden(Finding(path, said))) and "${KEY}" in str(
                outside.hidden(Finding(path, said))
            )
    outside.add(("d",), "${WORD}", "listener")
    said = outside.hidden(Finding(("c",), "no listener is called 'listener'")).said
    assert said == "no listener is called ${WORD}", "words are also ours"
    said = outside.hidden(Finding(("a", "b", 0), "'0123' is none", "accepted is one"))
    assert str(said) == "a.b[0]: what ${KEY} gives cannot stand here; accepted is one"
    # What shows nothing of it is told as it is.
    assert outside.hidden(Finding(("a", "b"), "it is missing")).said == "it is missing"


def test_the_admin_api_is_found_whatever_else_is_missing(tmp_path):
    (tmp_path / "proxy.toml").write_text('via = "${GONE}"\n[admin]\nlisten = "${PORT:-127.0.0.1:9090}"\n')
    assert load_admin(str(tmp_path / "proxy.toml")).listen == "127.0.0.1:9090"
