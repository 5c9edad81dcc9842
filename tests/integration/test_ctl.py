"""``txproxy ctl`` and ``txproxy top``, and a running proxy."""

import json
import urllib.request

from tests.integration.conftest import DEADLINE
from tests.integration.test_cache_command import origin  # noqa: F401
from txproxy.cli import ctl_command, top_command


def test_a_running_proxy_is_seen_and_changed(run_proxy, origin, tmp_path, capsys):  # noqa: F811
    admin = f"unix:{tmp_path / 'admin.sock'}"
    nobody = "http://127.0.0.1:1"
    proxy = run_proxy("reverse", "--upstream", origin.url, "--upstream", nobody, "--admin", admin)

    def call(run, *words, status=0):
        assert run([*words, "--admin", admin]) == status
        return capsys.readouterr().out

    assert call(ctl_command.run, "drain", "pool", nobody) == f"{nobody}: draining\n"
    with urllib.request.urlopen(proxy.url, timeout=DEADLINE) as answer:
        answer.read()
    one, other = json.loads(call(ctl_command.run, "upstreams", "--json"))["pool"]
    assert (one["state"], one["requests"]) == ("healthy", 1)
    assert (other["state"], other["requests"], other["changed"]) == ("draining", 0, ["order"])
    shown = call(top_command.run, "--once")
    assert f"{admin}: serving, CPU " in shown and "drained by the administrator" in shown
    assert call(ctl_command.run, "end", "1-1", status=1) == ""
