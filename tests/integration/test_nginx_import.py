"""nginx's own files, of the kinds that people have: nginx and the translation do the same with each request."""

import http.client
import json
import os
import re
import ssl
import subprocess
import sys
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.integration.conftest import free_port, need
from tests.integration.echoing_origin import Echo
from tests.integration.nginx_requests import REQUESTS
from txproxy.importers.recognition import translate_file

FILES = Path(__file__).parent / "nginx_files"
TXPROXY = (sys.executable, "-m", "txproxy")
# Which ports stand in the files: those of listeners, and those of upstreams; at the last nobody listens.
LISTENERS = re.compile(r"\b180[0-9]{2}\b")
UPSTREAMS = ("19001", "19002", "19003")
NOBODY = "19009"
# Where nginx itself is an upstream for both; that part of a file is not translated.
NGINX_ITSELF = "19004"
_UPSTREAM_PART = re.compile(r"# What they go to\..*# So far\.", re.S)
# What each proxy says in its own way.
_OWN = {
    "server", "date", "connection", "keep-alive", "content-length", "transfer-encoding", "via", "proxy-status", "age",
    "cache-status", "etag", "last-modified", "accept-ranges", "location", "expires", "allow", "retry-after",
}  # fmt: skip
# What is sent to upstreams here, whether nginx is told to or not.
_TOLD = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip")
_NOT_TOLD = {"connection", "via", *_TOLD}


@pytest.fixture(scope="module")
def origins():
    """Upstreams for all files."""
    found = {port: Echo(f"upstream {port}") for port in UPSTREAMS}
    yield found
    for one in found.values():
        one.close()


class Place:
    """Where one of the two listens: the ports that stand in the file, and its own for them."""

    def __init__(self, ports):
        self.ports = ports

    def plain(self, text):
        """``text`` with the ports of the file in place of its own."""
        for stated, own in self.ports.items():
            text = text.replace(str(own), stated)
        return text


@pytest.fixture
def both(processes, origins, tmp_path, certificate):
    """Starts nginx with one of the files, and txproxy with what is made of it."""

    def run(name):
        text = (FILES / f"{name}.conf").read_text()
        stated = sorted(set(LISTENERS.findall(text)))
        ours, theirs = ({port: free_port() for port in stated} for _ in range(2))
        fixed = {
            **{port: origin.port for port, origin in origins.items()},
            NOBODY: free_port(),
            NGINX_ITSELF: free_port(),
        }
        folder = tmp_path / name
        folder.mkdir()
        text = text.replace("/srv/site", str(_site(tmp_path))).replace("/etc/ssl/garden", str(tmp_path))
        text = text.replace("/var/cache/nginx", str(folder / "cache"))
        (tmp_path / "users").write_text(f"bob:{_hashed('sesame')}\n")
        (tmp_path / "users").chmod(0o644)
        (folder / "cache").mkdir()
        files = {}
        for side, ports in (("nginx", theirs), ("ours", ours)):
            said = text if side == "nginx" else _UPSTREAM_PART.sub("", text)
            for stands, own in {**ports, **fixed}.items():
                said = re.sub(rf"\b{stands}\b", str(own), said)
            files[side] = folder / f"{side}.conf"
            files[side].write_text(said)
        _run_nginx(processes, files["nginx"], folder, theirs)
        translation = translate_file(str(files["ours"]))
        toml = folder / "ours.toml"
        toml.write_text(translation.toml)
        with (folder / "ours.out").open("wb") as out:
            words = (*TXPROXY, "run", "--config", str(toml))
            processes(*words, port=next(iter(ours.values())), stdout=out, stderr=out, cwd=folder)
        return Place(theirs), Place(ours)

    return run


def _hashed(password):
    words = (need("openssl"), "passwd", "-apr1", password)
    return subprocess.run(words, capture_output=True, check=True, text=True).stdout.strip()


def _site(folder):
    site = folder / "site"
    if not site.exists():
        (site / "docs").mkdir(parents=True)
        (site / "index.html").write_text("<p>home</p>\n")
        (site / "docs" / "index.html").write_text("<p>docs</p>\n")
        (site / "style.css").write_text("p {}\n")
        (site / "50x.html").write_text("<p>no server</p>\n")
        (site / "404.html").write_text("<p>nothing</p>\n")
        (site / ".secret").write_text("secret\n")
    return site


def _run_nginx(processes, file, folder, ports):
    user = "user root;" if os.geteuid() == 0 else ""
    paths = " ".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = file.read_text().replace("http {", f"http {{ {paths}", 1)
    file.write_text(f"daemon off; {user} pid {folder}/nginx.pid; error_log {folder}/error.log; {text}")
    with (folder / "nginx.out").open("wb") as out:
        processes(
            need("nginx"), "-p", str(folder), "-c", str(file), port=next(iter(ports.values())), stdout=out, stderr=out
        )


def ask(place, request, curl):
    """What comes of a request: what the client gets, and what the upstream got."""
    port = place.ports[request.port]
    if request.h2:
        return _in_http2(place, request, port, curl)
    source = (request.client, 0) if request.client else None
    if request.tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        made = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context, source_address=source)
    else:
        made = http.client.HTTPConnection("127.0.0.1", port, timeout=30, source_address=source)
    try:
        made.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
        made.putheader("Host", request.host.replace(request.port, str(port)))
        for name, value in request.headers.items():
            made.putheader(name, value)
        if request.body:
            made.putheader("Content-Length", str(len(request.body)))
        made.endheaders(request.body or None)
        try:
            response = made.getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError):
            return {"status": "closed"}
        return _said(response, response.read(), request, place)
    finally:
        made.close()


def _in_http2(place, request, port, curl):
    words = ["--http2-prior-knowledge", "-X", request.method, "-H", f"Host: {request.host}"]
    words += ["--data-binary", request.body.decode()] if request.body else []
    said = curl(*words, "-w", "\n%{http_code} %header{location}", f"http://127.0.0.1:{port}{request.path}")
    body, _, rest = place.plain(said).rpartition("\n")
    status, _, location = rest.partition(" ")
    found = {"status": int(status), "fields": {}}
    if location:
        found["location"] = urljoin(f"http://{request.host}{request.path}", location)
    return found if int(status) >= 300 else {**found, "body": body}


def _said(response, body, request, place):
    fields = {}
    for name, value in response.getheaders():
        if name.lower() not in _OWN:
            fields.setdefault(name.lower(), []).append(place.plain(value))
    found = {"status": response.status, "fields": fields, "refused": response.getheader("Proxy-Status") is not None}
    location = response.getheader("Location")
    if location is not None:
        base = f"{'https' if request.tls else 'http'}://{request.host}{request.path}"
        found["location"] = urljoin(base, place.plain(location))
    if fields.get("content-type") == ["application/json"] and body:
        found["got"] = json.loads(place.plain(body.decode()))
    elif response.status < 300 or "files" in request.looks_at:
        found["body"] = body
    else:
        # The pages of errors are each one's own.
        fields.pop("content-type", None)
    return found


def _compared(found, request, told):
    """``found`` without what may differ; of what upstreams are told in any case, what nginx has ``told``."""
    kept = {**found, "fields": dict(found.get("fields", {}))}
    if "body" in kept:
        # A charset is said here where nginx says none.
        kinds = kept["fields"].get("content-type", [""])
        kept["fields"]["content-type"] = [kind.partition(";")[0] for kind in kinds]
    if "got" in kept:
        headers = kept["got"]["headers"]
        kept["got"] = {
            **kept["got"],
            "headers": {name: said for name, said in headers.items() if name not in _NOT_TOLD or name in told},
        }
    for name in ("upstream", "number"):
        if name not in request.looks_at and "got" in kept:
            kept["got"].pop(name)
    return kept


def _counted(found, numbers, side):
    """``found`` with the number of its answer among those of this side, and not of all that the upstream gave."""
    if "got" in found:
        own = numbers.setdefault(side, {}).setdefault(found["got"]["upstream"], [])
        if found["got"]["number"] not in own:
            own.append(found["got"]["number"])
        found["got"]["number"] = own.index(found["got"]["number"])
    return found


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_both_do_the_same_with_each_request(both, curl, name):
    theirs, ours = both(name)
    numbers = {}
    for request in REQUESTS[name]:
        wanted = _counted(ask(theirs, request, curl), numbers, "theirs")
        told = {one for one in _TOLD if one in wanted.get("got", {}).get("headers", {})}
        # What a client says there is not passed on here.
        told -= {name.lower() for name in request.headers}
        found = _counted(ask(ours, request, curl), numbers, "ours")
        if found.pop("refused", False):
            # What the proxy itself refuses has none of a route's fields.
            found["fields"] = wanted.get("fields", {})
        wanted.pop("refused", None)
        if request.ours is not None:
            # What is otherwise on purpose.
            assert wanted["status"] == request.status, (request, wanted)
            assert found["status"] == request.ours, (request, found)
            continue
        assert _compared(found, request, told) == _compared(wanted, request, told), request
        if request.status is not None:
            assert wanted["status"] == request.status, (request, wanted)


def test_each_file_has_its_requests():
    assert {file.stem for file in FILES.glob("*.conf")} == set(REQUESTS)
