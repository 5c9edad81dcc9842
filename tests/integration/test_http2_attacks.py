"""Hostile clients of HTTP/2 over TLS, all of them at once: each is ended, others are served, and memory stays small."""

import sys
from concurrent.futures import ThreadPoolExecutor, wait

from benchmarks.http2_attacks import ATTACKS, CONFIG, attack, forget_most, memory, victims
from tests.integration.conftest import free_port


def test_all_attacks_at_once(processes, curl, certificate, tmp_path):
    cert, key = map(str, certificate)
    port, file = free_port(), tmp_path / "proxy.toml"
    with victims() as upstream, ThreadPoolExecutor(len(ATTACKS)) as threads:
        file.write_text(CONFIG.format(port=port, cert=cert, key=key, upstream=upstream))
        proxy = processes(sys.executable, "-m", "txproxy", "run", "--config", str(file), port=port)

        def ask():
            return curl("--cacert", cert, "--http2", "-w", " %{http_version}", f"https://localhost:{port}/answer")

        assert ask() == "hello 2"
        forget_most(proxy.pid)
        before = memory(proxy.pid)
        attacks = {name: threads.submit(attack, port, cert, what) for name, what in ATTACKS.items()}
        while wait(attacks.values(), timeout=0.3).not_done:
            assert ask() == "hello 2"
        told = {name: one.result() for name, one in attacks.items()}
        # All of them together, four times what they take.
        assert memory(proxy.pid, "VmHWM") - before < 100 << 20
        assert ask() == "hello 2" and proxy.poll() is None
    for name, what in ATTACKS.items():
        assert told[name].codes[-1:] == ((what.code,) if what.reads else ()), (name, told[name])
    assert told["heads that expand"].statuses.keys() == {b"200", b"431"}
    assert told["windows that stay shut"].resets.keys() == {8}
    assert told["streams beyond those that there may be"].resets.keys() == {7}
