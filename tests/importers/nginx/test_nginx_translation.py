"""A whole file."""

import pytest

from tests.importers.nginx.imported import imported
from txproxy.errors import ConfigError
from txproxy.importers.nginx.nginx_translation import translate, translate_file


def test_a_file_of_servers_alone_is_one_as_well():
    toml = translate("server { listen 8080; location / { proxy_pass http://127.0.0.1:3000; } }", "site.conf").toml
    assert '[pools."127.0.0.1:3000"]' in toml and toml.startswith("# From site.conf, for txproxy run --config.\n")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("user www;", "x: there is no http, stream or server in it; accepted is an nginx.conf"),
        ("events {} http { }", "x: there is no server in it that can be taken over"),
        ("server { listen 80;", 'x:1: unexpected end of file, expecting "}"'),
    ],
)
def test_a_file_without_a_server_is_refused(text, says):
    with pytest.raises(ConfigError) as caught:
        translate(text, "x")
    assert says in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"No such file or directory; accepted is an nginx\.conf that can be read"):
        translate_file(str(tmp_path / "none"))


def test_names_of_routes_are_unique():
    two = "server { listen 80; server_name a.example; location / { return 204; } }"
    found = imported(two + two.replace("80", "81") + "server { listen 80; server_name a.example; return 205; }")
    names = [one["name"] for one in found.routes]
    assert len(set(names)) == len(names)


def test_processes_are_as_many():
    text = "worker_processes {}; events {{}} http {{ server {{ listen 80; return 204; }} }}"
    assert "workers = 4\n" in translate(text.format(4), "x").toml
    assert 'workers = "auto"\n' in translate(text.format("auto"), "x").toml
    assert "workers" not in translate(text.format(1), "x").toml
    assert translate(text.format(9999), "x").notes == ("x:1: worker_processes: 9999 is no number of processes here",)
