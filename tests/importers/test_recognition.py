"""Whose configuration a file is."""

import pytest

from txproxy.errors import ConfigError
from txproxy.importers.recognition import kind_of, translate_file

NGINX = "events {}\nhttp { server { listen 8080; return 204; } }\n"
SQUID = "http_port 3128\nhttp_access deny all\n"


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        (NGINX, "x.conf", "nginx"),
        (SQUID, "x.conf", "squid"),
        ("upstream app {\n server a:80;\n}\n", "x", "nginx"),
        ("server\n{\n}\n", "x", "nginx"),
        ("map $a $b { default 1; }\n", "x", "nginx"),
        ("user www;\n", "nginx.conf", "nginx"),
        ("# mine\nacl all src all\n", "x", "squid"),
        ("server {\n  location / {\n    respond;\n  }\n}", "x", "nginx"),
    ],
)
def test_it_is_told_by_what_is_in_it(text, name, kind):
    assert kind_of(text, name) == kind


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        ("global\n  daemon\nfrontend web\n  bind :80\n", "x", "HAProxy, which is not imported: a frontend is one of"),
        ("", "haproxy.cfg", "HAProxy"),
        ("site.example {\n  reverse_proxy localhost:9000\n}\n", "x", "Caddy, which is not imported: a site is a route"),
        ("", "Caddyfile", "Caddy"),
        ('{"apps": {"http": {}}}', "x.json", "Caddy"),
        ("<VirtualHost *:80>\n</VirtualHost>\n", "x", "Apache"),
        ("entryPoints:\n  web:\n", "x", "Traefik"),
        ("static_resources:\n", "x", "Envoy"),
        ("[pools.app]\nupstreams = []\n", "x", "txproxy, or other TOML"),
        ("hello\n", "x", "neither a configuration of Squid nor of nginx"),
        ('{"a": 1}', "x", "neither"),
    ],
)
def test_what_is_somebody_elses_is_refused_by_name(text, name, says):
    with pytest.raises(ConfigError) as caught:
        kind_of(text, name)
    assert says in str(caught.value) and "accepted are squid.conf and nginx.conf" in str(caught.value)


def test_the_file_is_translated_by_the_importer_that_is_told_or_found(tmp_path):
    (tmp_path / "a.conf").write_text(NGINX)
    (tmp_path / "b.conf").write_text(SQUID)
    assert "respond = 204" in translate_file(str(tmp_path / "a.conf")).toml
    assert 'mode = "forward"' in translate_file(str(tmp_path / "b.conf")).toml
    with pytest.raises(ConfigError, match="this is a configuration of nginx"):
        translate_file(str(tmp_path / "a.conf"), "squid")
    with pytest.raises(ConfigError, match=r'b\.conf:1: directive "http_port" is not terminated'):
        translate_file(str(tmp_path / "b.conf"), "nginx")
    with pytest.raises(ConfigError, match=r"nginx\.conf: No such file"):
        translate_file(str(tmp_path / "nginx.conf"))
    with pytest.raises(ConfigError, match=r"nginx\.conf: No such file"):
        translate_file(str(tmp_path / "nginx.conf"), "nginx")
