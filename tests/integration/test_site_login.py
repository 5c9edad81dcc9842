"""curl logs in to a site: Basic and Digest, from the command line and a file, with workers as well."""

import hashlib
import shutil
import sys
from pathlib import Path

from tests.integration.conftest import free_port

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
STATUS = ("-o", "/dev/null", "-w", "%{http_code}")


def test_a_site_is_for_those_whom_a_file_knows(run_proxy, run_nginx, curl):
    nginx = run_nginx()
    proxy = run_proxy("reverse", "--upstream", nginx.url, "--auth-file", str(EXAMPLES / "users"))
    url = f"{proxy.url}/fields"
    assert curl(*STATUS, url) == "401"
    assert curl(*STATUS, "-u", "alice:wrong", url) == "401"
    # What nginx gets of Authorization is nothing.
    assert curl("-u", "alice:secret", url).startswith("|")
    assert curl("--anyauth", "-u", "alice:secret", url).startswith("|")
    proxy.says("- alice [")


def test_a_file_that_is_not_there_is_named(run_program, tmp_path):
    words = ("reverse", "--upstream", "http://127.0.0.1:1", "--auth-file", "nowhere")
    done = run_program(sys.executable, "-m", "txproxy", *words, cwd=tmp_path)
    assert done.returncode == 1
    assert "--auth-file: " in done.stderr and "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1


def test_the_example_asks_at_its_route_alone(processes, run_nginx, curl, tmp_path):
    nginx, port = run_nginx(), free_port()
    text = (EXAMPLES / "login.toml").read_text().replace("8080", str(port)).replace("127.0.0.1:8001", nginx.url[7:])
    text += "\n[[routes]]\nname = 'digest'\npath = '/name'\npool = 'app'\n"
    text += "login = { digest_file = 'digests', realm = 'x' }\n"
    (tmp_path / "login.toml").write_text("workers = 2\n" + text)
    shutil.copy(EXAMPLES / "users", tmp_path)
    (tmp_path / "digests").write_text(f"bob:x:{hashlib.md5(b'bob:x:secret').hexdigest()}\n")
    with (tmp_path / "out").open("wb") as out:
        processes(sys.executable, "-m", "txproxy", "run", "--config", "login.toml", port=port, cwd=tmp_path, stdout=out)
    url = f"http://127.0.0.1:{port}"
    assert curl(*STATUS, f"{url}/echo") == "200"
    assert [curl(*STATUS, f"{url}{path}") for path in ("/admin", "/admin/health", "/name")] == ["401", "404", "401"]
    # Whichever worker it comes to knows the nonces of the other.
    for _ in range(8):
        assert curl("--digest", "-u", "bob:secret", f"{url}/name") == "nginx\n"
        assert curl(*STATUS, "-u", "alice:secret", f"{url}/admin") == "404"
    assert curl(*STATUS, "--digest", "-u", "bob:wrong", f"{url}/name") == "401"
