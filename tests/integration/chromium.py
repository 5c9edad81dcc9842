"""A headless Chromium, spoken to by its DevTools protocol."""

import base64
import json
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from websockets.sync.client import connect

from tests.integration.conftest import DEADLINE, until

WORDS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage",
    "--hide-scrollbars", "--remote-debugging-port=0",
)  # fmt: skip
# A click on the button of this text that is seen, in a place of the page.
CLICK = """((place, text) => {
    const seen = [...place.querySelectorAll("button")].filter((one) => one.checkVisibility());
    const found = seen.find((one) => one.textContent === text);
    found?.click();
    return Boolean(found);
})"""


class Browser:
    """One that has one page, with ``more`` of its options; it asks through no ``proxy``, or through that at a URL, for
    what is on this machine as well. ``said`` is what it has told unasked: requests, messages of the console, faults.
    """

    def __init__(self, program, folder, *more, proxy=None):
        self.said = []
        self._number = 0
        self._session = {}
        way = ["--no-proxy-server"] if proxy is None else [f"--proxy-server={proxy}", "--proxy-bypass-list=<-loopback>"]
        self._process = subprocess.Popen(
            [program, *WORDS, *way, *more, f"--user-data-dir={folder}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        port, path = until(lambda: self._place(Path(folder) / "DevToolsActivePort"), "Chromium listens")
        self._ends = ExitStack()
        place = f"ws://127.0.0.1:{port}{path}"
        options = {"max_size": None, "compression": None, "proxy": None, "ping_interval": None}
        self._socket = self._ends.enter_context(connect(place, **options))
        targets = self.call("Target.getTargets")["targetInfos"]
        (page,) = (one["targetId"] for one in targets if one["type"] == "page")
        self._session = {"sessionId": self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    @staticmethod
    def _place(file):
        lines = file.read_text().split("\n") if file.exists() else []
        return lines if len(lines) == 2 else None

    def call(self, method, **parameters):
        """Have it do something, and give what comes of it."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters, **self._session}
        self._socket.send(json.dumps(message))
        while True:
            got = json.loads(self._socket.recv(DEADLINE))
            if got.get("id") == self._number:
                assert "error" not in got, got
                return got["result"]
            self.said.append(got)

    def run(self, script):
        """The value of an expression in the page."""
        got = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in got, got["exceptionDetails"]
        return got["result"].get("value")

    def wait(self, script):
        """Until an expression in the page is true; gives its value."""
        end = time.monotonic() + DEADLINE
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"{script}\n{self.run('document.body.innerText')}"
            time.sleep(0.02)
        return value

    def go(self, url):
        """Another page, with nothing left of the one before."""
        self.call("Page.navigate", url="about:blank")
        self.said.clear()
        self.call("Page.navigate", url=url)

    def click(self, text, place="document"):
        """A click on the button of this text, once it is there."""
        self.wait(f"{place} && {CLICK}({place}, {json.dumps(text)})")

    def size(self, width, height, phone=False):
        """So many points of a screen."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def picture(self, path):
        """What is seen, into a file."""
        found = self.call("Page.captureScreenshot", format="png")
        Path(path).write_bytes(base64.b64decode(found["data"]))

    def complaints(self):
        """What the page has done that it should not: faults, and violations of its policy."""
        kinds = {"Runtime.exceptionThrown", "Log.entryAdded"}
        found = [one["params"] for one in self.said if one["method"] in kinds]
        # Advice is none, nor is an answer of the API that says no.
        return [one for one in found if one.get("entry", {}).get("source") not in ("recommendation", "network")]

    def requested(self):
        """The URLs of all that was asked for."""
        return [one["params"]["request"]["url"] for one in self.said if one["method"] == "Network.requestWillBeSent"]

    def close(self):
        """The end of it."""
        self._ends.close()
        self._process.terminate()
        self._process.wait(DEADLINE)
