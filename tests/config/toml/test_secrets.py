"""No error of a configuration, no warning and no explanation shows what only upstreams are to know."""

import pytest

from txproxy.config import load
from txproxy.errors import ConfigError
from txproxy.runtime.explain import Question, explain

LISTENER = '[[listeners]]\nlisten = "tcp:8080"\npool = "app"\n'
POOL = '[pools.app]\nupstreams = ["http://127.0.0.1:80"]\n'
ROUTE = LISTENER + POOL + '[[routes]]\nname = "one"\npool = "app"\n'
FORWARD = '[[listeners]]\nmode = "forward"\nlisten = "tcp:3128"\n'


@pytest.fixture
def read(tmp_path):
    def read(text):
        (tmp_path / "proxy.toml").write_text(text)
        return load(str(tmp_path / "proxy.toml"))

    return read


@pytest.mark.parametrize(
    "text",
    [
        LISTENER + '[pools.app]\nupstreams = ["http://user:s3cret@host:80"]',
        LISTENER + '[pools.app]\nupstreams = ["s3cret@host"]',
        LISTENER + '[pools.app]\nupstreams = [{ url = "https://user:s3cret@host/path" }]',
        LISTENER + '[pools.app]\nupstreams = [{ url = "http://user:s3cret@host", wait = 1 }, 5]',
        LISTENER + '[pools.app]\nupstreams = [["http://user:s3cret@host"]]',
        LISTENER + '[pools.app]\ntcp = true\nupstreams = ["user:s3cret@host:1"]',
        FORWARD + 'parents = ["http://user:s3cret@host:99999"]',
        FORWARD + 'parents = ["user:s3cret@host"]',
        FORWARD + 'inject = [{ origin = "https://user:s3cret@a.example", headers = { A = "s3cret\\n" } }]',
        ROUTE + 'request_headers = { set = { Authorization = "Bearer s3cret\\n" } }',
        ROUTE + 'request_headers = { set = { Authorization = "Bearer s3cret$nonesuch" } }',
        ROUTE + 'request_headers = { add = { Authorization = [["s3cret"]] } }',
        ROUTE + 'request_headers = { set = { "No Name" = "s3cret" } }',
        ROUTE + 'response_headers = { set = { Authorization = "s3cret\\u0000" } }',
        ROUTE + 'headers = { X-Key = "s3cret\\n" }',
        ROUTE + 'headers = { X-Key = ["s3cret"] }',
        ROUTE.replace('pool = "app"\n', "", 2).replace('[[routes]]\nname = "one"\n', "")
        + '[[routes]]\nname = "one"\nredirect = "https://user:s3cret@host/"',
        ROUTE.replace('name = "one"\npool = "app"\n', 'name = "one"\n')
        + 'respond = { status = 200, headers = { X-Key = "s3cret\\n" } }',
    ],
)
def test_errors_show_no_secret(read, text):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert "s3cret" not in str(caught.value)


def test_an_explanation_shows_no_secret(read):
    config = read(
        ROUTE
        + 'headers = { X-Key = "s3cret" }\nquery = { key = "s3cret" }\n'
        + 'request_headers = { set = { Authorization = "Bearer s3cret" }, add = { X-More = "s3cret" } }\n'
    )
    for url, lines in (("http://a/?key=x", ["X-Key: y"]), ("http://a/?key=x", ["X-Key: s3cret"])):
        text, _ = explain(config, Question.of("GET", url, lines, "127.0.0.1", None, None))
        assert "s3cret" not in text.replace("X-Key: s3cret", "")
        assert "route one: " in text and "is wanted" in text
    text, _ = explain(config, Question.of("GET", "http://a/?key=s3cret", ["X-Key: s3cret"], "127.0.0.1", None, None))
    assert "    Authorization: ***\n" in text and "    X-More: ***" in text and "    Host: a\n" in text
    assert text.count("s3cret") == 3  # as it was typed: the URL, what goes on of it, and the field


def test_an_explanation_calls_what_is_from_outside_as_the_file_does(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "S3cret-of-nobody")
    (tmp_path / "key").write_text("another-S3cret\n")
    text = LISTENER + POOL.replace("127.0.0.1", "${SECRET}.example")
    for name, more in (
        ("a", 'pool = "app"\nrequest_headers = { set = { X-A = "${SECRET}" } }'),
        ("b", 'redirect = "https://b.example/?k=${SECRET}"'),
        ("c", 'respond = { status = 200, headers = { X-A = { file = "key" } }, body = "${SECRET}" }'),
    ):
        text += f'[[routes]]\nname = "{name}"\npath = "/{name}"\n{more}\n'
    (tmp_path / "proxy.toml").write_text(text)
    config = load(str(tmp_path / "proxy.toml"))
    said = [explain(config, Question.of("GET", f"http://h/{name}", [], "127.0.0.1", None, None))[0] for name in "abc"]
    assert not any("3cret" in one for one in said)
    assert "http://${SECRET}.example:80: chosen" in said[0]
    assert "Location: https://b.example/?k=${SECRET}" in said[1] and "X-A: { file = 'key' }" in said[2]
