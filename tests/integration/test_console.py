"""The console, in a browser: what it shows, what it does when it is clicked, and what it does not do."""

import http.client
import json
import signal
import socket
import sys
import threading
from urllib.parse import quote

import pytest

from tests.integration.chromium import Browser
from tests.integration.conftest import DEADLINE, answers, free_port, need, until

HOSTILE = "/<img/src=x/onerror=window.hacked=1>"
TOKEN = "0123456789abcdef"
FILE = """
usage_file = "usage"
workers = 2
[admin]
listen = "127.0.0.1:{admin}"
[log]
access = "none"
[[quotas]]
day = "1M"
[pools.app]
upstreams = ["http://127.0.0.1:{origin}", "http://localhost:{origin}"]
[pools.gone]
upstreams = ["http://127.0.0.1:{nobody}"]
[[request_limits]]
name = "each client"
rate = "1/m:burst=1000"
[[routes]]
name = "gone"
path = "/gone"
pool = "gone"
[[routes]]
name = "rest"
path = "/"
pool = "app"
[[listeners]]
name = "web"
listen = "127.0.0.1:{web}"
[[listeners]]
name = "out"
mode = "forward"
listen = "127.0.0.1:{out}"
allow_destinations = ["127.0.0.0/8"]
allow_ports = ["1-65535"]
[[listeners.rules]]
name = "strange <b>hosts</b>"
action = "ask"
"""


class Running:
    """A proxy with a console, and an origin that answers each request but those for /slow."""

    def __init__(self, fork_server, folder):
        self.ports = {name: free_port() for name in ("admin", "web", "out", "nobody")}
        self.slow = []
        self._origin = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._answer, daemon=True).start()
        self.file = folder / "proxy.toml"
        self.origin = self._origin.getsockname()
        self.text = FILE.format(origin=self.origin[1], **self.ports)
        self.file.write_text(self.text)
        words = (sys.executable, "-m", "txproxy", "run", "--config", str(self.file))
        with (folder / "log").open("wb") as log:
            self.process = fork_server.start(words, stdout=log, stderr=log)
        for port in ("admin", "web"):
            until(lambda port=port: self.process.poll() is not None or answers(self.ports[port]), "the proxy listens")
        assert self.process.poll() is None, (folder / "log").read_text()
        self.url = f"http://127.0.0.1:{self.ports['admin']}/"

    def _answer(self):
        while True:
            try:
                client, _ = self._origin.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        while data := client.recv(65536):
            if b"/slow" in data:
                self.slow.append(client)
                return
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def get(self, port, target, **fields):
        """Status and body of an answer."""
        client = http.client.HTTPConnection("127.0.0.1", self.ports[port], timeout=DEADLINE)
        client.putrequest("GET", target, skip_host="Host" in fields)
        for name, value in fields.items():
            client.putheader(name, value)
        client.endheaders()
        response = client.getresponse()
        return response.status, response.read().decode()

    def api(self, path, method="GET", body=None):
        client = http.client.HTTPConnection("127.0.0.1", self.ports["admin"], timeout=DEADLINE)
        data = None if body is None else json.dumps(body)
        client.request(method, path, data, {"Content-Type": "application/json"})
        response = client.getresponse()
        assert response.status == 200
        return json.loads(response.read())

    def close(self):
        for client in self.slow:
            client.close()
        self._origin.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(DEADLINE)


@pytest.fixture(scope="module")
def proxy(fork_server, tmp_path_factory):
    running = Running(fork_server, tmp_path_factory.mktemp("proxy"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(need("chromium"), tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture
def page(browser, proxy):
    """The console, which has heard of the proxy; and has done nothing wrong by the end."""
    browser.size(1280, 800)
    browser.go(proxy.url)
    browser.wait("document.querySelector('#stage')?.textContent === 'serving'")
    yield browser
    assert browser.complaints() == []
    assert {url[: len(proxy.url)] for url in browser.requested()} == {proxy.url}


class Later:
    """What comes of a request that waits, in a thread."""

    def __init__(self, ask, *words, **more):
        self._found = []
        self._thread = threading.Thread(target=lambda: self._found.append(ask(*words, **more)), daemon=True)
        self._thread.start()

    def result(self):
        self._thread.join(DEADLINE)
        return self._found[0]


def show(page, name):
    page.run(f"location.hash = '{name}'")
    page.wait(f"document.querySelector('nav [aria-current=page]').hash === '#{name}'")
    page.wait(f"document.querySelector('#panel-{name}').checkVisibility()")


def row(name, words):
    """An expression for the row of a panel that has these words; undefined where there is none."""
    rows = f"[...document.querySelectorAll('#panel-{name} tbody tr')]"
    return f"{rows}.find((one) => {json.dumps(words)}.every((word) => one.textContent.includes(word)))"


def upstream(proxy, place):
    return proxy.api("/api/pools/app/upstreams")["upstreams"][place]


def test_it_shows_how_all_of_it_is(page, proxy):
    for _ in range(3):
        assert proxy.get("web", "/hello") == (200, "ok")
    page.wait("Number(document.querySelector('.tile b').textContent) > 0")
    page.wait("document.querySelectorAll('.chart canvas').length >= 6")
    page.wait("document.querySelector('.legend').textContent.startsWith('web')")
    assert page.run("[...document.querySelectorAll('.legend')].some((one) => one.textContent.includes('worker 2'))")
    chosen = "document.querySelector('#panel-overview select')"
    page.run(f"{chosen}.value = 'upstreams', {chosen}.dispatchEvent(new Event('change'))")
    page.wait(f"document.querySelector('.legend').textContent.includes({upstream(proxy, 0)['name']!r})")
    assert all("//" not in url.partition("//")[2] for url in page.requested())


def test_an_upstream_is_drained_once_that_is_confirmed(page, proxy):
    name = upstream(proxy, 0)["name"]
    show(page, "upstreams")
    there = row("upstreams", [name])
    page.click("Drain", there)
    page.click("Cancel", "document.querySelector('dialog')")
    page.wait("!document.querySelector('dialog')")
    assert upstream(proxy, 0)["state"] == "healthy"
    page.click("Drain", there)
    page.click("Drain", "document.querySelector('dialog')")
    page.wait(f"{row('upstreams', [name, 'draining', 'drained by the administrator'])} && true")
    assert upstream(proxy, 0)["state"] == "draining"
    # The stream tells it with the next second.
    page.wait(f"document.querySelector('.news').textContent.includes({name + ' is draining'!r})")
    page.click("Enable", there)
    page.wait(f"{row('upstreams', [name, 'healthy'])} && true")


def test_an_upstream_is_added_weighed_and_removed_and_what_cannot_be_is_said(page, proxy):
    show(page, "upstreams")
    page.click("Add an upstream")
    page.run("document.querySelector('dialog input').value = 'nonsense://'")
    page.click("Add", "document.querySelector('dialog')")
    page.wait("document.querySelector('#toasts .bad')?.textContent.startsWith('url: ')")
    page.click("Add an upstream")
    page.run("document.querySelector('dialog input').value = 'http://10.9.9.9:1'")
    page.click("Add", "document.querySelector('dialog')")
    there = row("upstreams", ["http://10.9.9.9:1"])
    page.click("Weight", there)
    page.run("document.querySelector('dialog input').value = '0'")
    page.click("Set", "document.querySelector('dialog')")
    page.wait(f"{row('upstreams', ['http://10.9.9.9:1', 'its weight is 0', 'added, weight'])} && true")
    page.click("Remove", there)
    page.click("Remove", "document.querySelector('dialog')")
    page.wait(f"!{there}")
    assert len(proxy.api("/api/pools/app/upstreams")["upstreams"]) == 2


@pytest.mark.parametrize(("button", "status"), [("Allow", 502), ("Refuse", 403)])
def test_a_question_is_answered(page, proxy, button, status):
    url = f"http://nowhere.invalid{HOSTILE}{button}"
    waiting = Later(proxy.get, "out", url)
    page.wait("document.querySelector('a[href=\"#questions\"]').textContent === 'Questions1'")
    show(page, "questions")
    there = row("questions", [f"GET {url}", "strange <b>hosts</b>"])
    page.click(button, there)
    assert waiting.result()[0] == status
    page.wait(f"!{there}")
    # What others have written is text, wherever it stands.
    for name in ("news", "requests", "overview", "questions"):
        show(page, name)
        assert page.run("document.querySelectorAll('img, b b, #panels script').length") == 0
    assert page.run("window.hacked") is None
    assert page.run(f"document.querySelector('.news').textContent.includes({url!r})")


def test_an_answer_is_remembered_at_all_workers(page, proxy):
    waiting = Later(proxy.get, "out", "http://often.invalid/1")
    show(page, "questions")
    page.click("Remember", row("questions", ["http://often.invalid/1"]))
    page.run("document.querySelector('dialog select').value = 'refuse'")
    page.click("Remember", "document.querySelector('dialog')")
    assert waiting.result()[0] == 403
    there = row("questions", ["refused", "GET often.invalid:80"])
    page.wait(f"{there} && true")
    # Any of two workers may have them.
    assert {proxy.get("out", f"http://often.invalid/{number}")[0] for number in range(12)} == {403}
    page.click("Forget", there)
    page.wait(f"!{there}")
    assert proxy.api("/api/answers") == {"answers": []}


def test_a_request_is_seen_on_its_way_and_ended(page, proxy):
    waiting = Later(proxy.get, "web", f"/slow{HOSTILE}")
    show(page, "requests")
    there = row("requests", [f"/slow{HOSTILE}", "sent", "rest"])
    page.click("Way", there)
    page.wait("document.querySelector('dialog dl')?.textContent.includes('Routerest')")
    page.click("Close", "document.querySelector('dialog')")
    page.click("End", there)
    page.click("End", "document.querySelector('dialog')")
    assert waiting.result()[0] == 403
    page.wait(f"!{there}")
    assert page.run("window.hacked || document.querySelector('img')") is None


def test_what_has_failed_is_told_with_its_whole_way(page, proxy):
    assert proxy.get("web", f"/gone{HOSTILE}", Host="<svg/onload=window.hacked=1>")[0] == 400
    assert proxy.get("web", f"/gone{HOSTILE}")[0] in (502, 503)
    show(page, "failed")
    page.click("Way", row("failed", [f"/gone{HOSTILE}"]))
    told = page.wait("document.querySelector('dialog')?.innerText")
    assert "connection_refused" in told and f"http://127.0.0.1:{proxy.ports['nobody']}" in told
    assert "Where it was sent" in told and "gone" in told
    page.click("Close", "document.querySelector('dialog')")
    assert page.run("window.hacked || document.querySelector('img, svg')") is None


def test_a_configuration_is_read_again_and_rolled_back(page, proxy):
    show(page, "configuration")
    number = proxy.api("/api/revisions")["revisions"][-1]["number"]
    proxy.file.write_text(proxy.text.replace('rate = "1/m:burst=1000"', 'rate = "1/m:burst=2000"'))
    page.click("Reload")
    page.click("Reload", "document.querySelector('dialog')")
    # The stream goes on over it.
    page.wait(f"document.querySelector('#revision').textContent === 'revision {number + 1}'")
    proxy.file.write_text("workers = 'many'\n")
    page.click("Reload")
    page.click("Reload", "document.querySelector('dialog')")
    said = page.wait("document.querySelector('dialog pre')?.textContent")
    assert "proxy.toml:1: workers: " in said
    page.click("Close", "document.querySelector('dialog')")
    page.click("Roll back", row("configuration", [f"{number}", "start"] if number == 1 else [f"{number}"]))
    shown = page.wait("document.querySelector('dialog .diff')?.textContent")
    assert '-rate = "1/m:burst=1000"' in shown and '+rate = "1/m:burst=2000"' in shown
    page.click("Roll back", "document.querySelector('dialog')")
    page.wait(f"document.querySelector('#revision').textContent === 'revision {number + 2}'")
    proxy.file.write_text(proxy.text)
    (last,) = proxy.api("/api/revisions")["revisions"][-1:]
    assert last["by"] == f"admin API, back to revision {number}" and last["runs"]


def test_limits_are_looked_at_and_reset_and_the_log_level_is_set(page, proxy):
    proxy.get("web", "/limited")
    show(page, "limits")
    page.click("Keys", row("limits", ["each client"]))
    page.wait("document.querySelector('dialog td.name')?.textContent === '127.0.0.1'")
    page.click("Close", "document.querySelector('dialog')")
    page.click("Reset", row("limits", ["each client"]))
    page.click("Reset", "document.querySelector('dialog')")
    page.wait("document.querySelector('#toasts').textContent.includes('begun anew')")
    show(page, "configuration")
    # at once, as a user does it: an answer that comes between would put the old one back
    page.run("level.value = 'warn', level.dispatchEvent(new Event('change'))")
    page.wait("document.querySelector('#toasts').textContent.includes('The log level is warn.')")
    assert proxy.api("/api/log")["level"] == "warn"


def test_what_was_used_of_a_quota_is_forgotten(page, proxy):
    address, port = proxy.origin
    asked = {"listener": "out", "rule": "strange <b>hosts</b>", "method": "GET", "client": "127.0.0.1", "user": None}
    proxy.api("/api/answers", "POST", {**asked, "host": address, "port": port, "allow": True, "for": "1m"})
    assert proxy.get("out", f"http://{address}:{port}/") == (200, "ok")
    show(page, "limits")
    there = row("limits", ["client 127.0.0.1", "B of 1.0 MB"])
    page.click("Forget", there)
    page.click("Forget", "document.querySelector('dialog')")
    page.wait(f"!{there}")


def test_what_was_changed_is_written_into_the_file(page, proxy):
    pytest.importorskip("tomlkit")
    proxy.file.write_text(proxy.text)
    proxy.api("/api/reload", "POST")
    name = upstream(proxy, 1)["name"]
    show(page, "upstreams")
    page.click("Weight", row("upstreams", [name]))
    page.run("document.querySelector('dialog input').value = '7'")
    page.click("Set", "document.querySelector('dialog')")
    page.wait("document.querySelector('#toasts').textContent.includes('is healthy')")
    show(page, "configuration")
    page.click("Write changes into the file")
    page.click("Write", "document.querySelector('dialog')")
    assert name in page.wait("document.querySelector('dialog pre')?.textContent")
    assert f"{name};weight=7" in proxy.file.read_text()
    proxy.file.write_text(proxy.text)


def test_it_fits_a_phone_and_has_two_sets_of_colours(page, proxy):
    page.size(375, 812, phone=True)
    for name in ("overview", "upstreams", "requests", "failed", "limits", "questions", "configuration", "news"):
        show(page, name)
        assert page.run("document.documentElement.scrollWidth") == 375
    ground = "getComputedStyle(document.body).backgroundColor"
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    dark = page.run(ground)
    page.run("theme.click()")
    assert page.run("document.documentElement.dataset.theme") == "light" and page.run(ground) != dark
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
    page.run("theme.click()")
    assert page.run(ground) == dark
    page.run("theme.click()")
    assert page.run("document.documentElement.dataset.theme") is None


def test_it_asks_for_a_token_and_finds_a_proxy_that_comes_again(browser, processes, tmp_path):
    port = free_port()
    (tmp_path / "token").write_text(TOKEN)
    words = [sys.executable, "-m", "txproxy", "forward", "--listen", f"127.0.0.1:{free_port()}", "--admin"]
    words += [f"127.0.0.1:{port}", "--admin-token-file", str(tmp_path / "token"), "--access-log", "none"]
    process = processes(*words, port=port)
    browser.go(f"http://127.0.0.1:{port}/")
    for token, said in (("a b", "A token has no spaces"), ("wrong", "This token is not accepted.")):
        browser.wait("document.querySelector('#token')?.checkVisibility()")
        browser.run(f"token.value = {token!r}")
        browser.click("Go on")
        browser.wait(f"document.querySelector('.login .bad').textContent.startsWith({said!r})")
    browser.run(f"token.value = {TOKEN!r}")
    browser.click("Go on")
    serving = "document.querySelector('#stage').textContent === 'serving'"
    browser.wait(f"{serving} && document.querySelector('#panel-overview').checkVisibility()")
    # Whoever looks on does not hold up the end.
    process.send_signal(signal.SIGTERM)
    process.wait(DEADLINE)
    browser.wait("document.querySelector('#lost').textContent.includes('Next try in')")
    assert browser.run("document.querySelector('#stage').textContent") == "no answer"
    processes(*words, port=port)
    browser.wait(f"{serving} && document.querySelector('#lost').hidden")
    assert browser.complaints() == [] and not any(quote(TOKEN) in url for url in browser.requested())
    assert browser.run("localStorage.getItem('txproxy-token')") is None
