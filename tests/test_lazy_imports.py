"""Packages that import a module when one of its names is asked for."""

import ast
import importlib
import pathlib
import subprocess
import sys

import pytest

LAZY = ("txproxy", "txproxy.forward", "txproxy.reverse", "txproxy.upstreams")


def run(*lines):
    return subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("package", LAZY)
def test_what_type_checkers_see_is_what_there_is(package):
    module = importlib.import_module(package)
    tree = ast.parse(pathlib.Path(module.__file__).read_text())
    choice = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {(name.name, node.module) for node in choice.body for name in node.names}
    (homes,) = (node for node in ast.walk(choice) if isinstance(node, ast.Dict))
    given = {(name, home) for home, names in ast.literal_eval(homes).items() for name in names}
    assert seen == given
    assert {name for name, _ in given} == set(module.__all__) - {"__version__"}


@pytest.mark.parametrize("package", LAZY)
def test_a_package_alone_imports_nothing(package):
    known = {"txproxy", "txproxy.lazy_imports", package}
    loaded = run(
        f"import sys, {package}", "print(*(name for name in sys.modules if name[:7] in ('txproxy', 'twisted')))"
    )
    assert set(loaded.split()) == known


def test_a_name_imports_its_own_module_alone():
    loaded = run("import sys", "from txproxy.upstreams import HealthCheck", "print(*sys.modules)").split()
    assert "txproxy.upstreams.health.health_check" in loaded
    assert "txproxy.upstreams.affinity" not in loaded


def test_names_are_listed_before_they_are_asked_for():
    assert run("import txproxy.reverse", "print('Treated' in dir(txproxy.reverse))") == "True\n"


def test_a_name_that_is_none_is_an_error():
    module = importlib.import_module("txproxy.reverse")
    with pytest.raises(AttributeError, match=r"module 'txproxy\.reverse' has no attribute 'Handler'"):
        _ = module.Handler
    with pytest.raises(ImportError):
        from txproxy.reverse import Handler  # noqa: F401


def test_modules_can_still_be_had():
    assert run("from txproxy.reverse import mode", "print(mode.__name__)") == "txproxy.reverse.mode\n"


# What a reverse proxy that is told nothing but its upstream has no use for.
UNUSED = (
    "txproxy.admin.admin_server",
    "txproxy.admin.metrics",
    "txproxy.auth",
    "txproxy.cache.disk",
    "txproxy.cache.memory",
    "txproxy.cli.demo",
    "txproxy.cli.options.forward",
    "txproxy.cli.options.run",
    "txproxy.cluster",
    "txproxy.config.toml.file",
    "txproxy.forward",
    "txproxy.importers",
    "txproxy.observe.spans",
    "txproxy.proxy.caching",
    "txproxy.proxy.downstream.http2",
    "txproxy.proxy.downstream.socks5",
    "txproxy.proxy.upstream.http2.http2_upstream",
    "txproxy.reverse.site_login",
    "txproxy.runtime.live.live_cache",
    "txproxy.runtime.workers.master_service",
    "txproxy.stream",
    "txproxy.testing",
    "txproxy.upstreams.health.probe",
    "txproxy.wire.http2.session",
    "txproxy.wire.socks",
    "h2",
    "opentelemetry",
    "sqlite3",
    "tomlkit",
    "twisted.conch",
    "twisted.mail",
    "twisted.trial",
    "twisted.web.server",
)


def test_a_plain_reverse_proxy_waits_for_no_feature_that_is_off():
    loaded = run(
        "import sys",
        "from txproxy.tap import Options",
        "made = Options()",
        "made.parseOptions(['reverse', '--upstream', 'http://127.0.0.1:9', '--listen', 'tcp:0:interface=127.0.0.1'])",
        "service = made.subOptions.service",
        "service.startService()",
        "assert service.running and service.stage.value == 'serving'",
        "print(*sys.modules)",
    ).split()
    assert "txproxy.reverse.mode" in loaded
    assert [name for name in loaded if f"{name}.".startswith(tuple(f"{one}." for one in UNUSED))] == []


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("['reverse', '--upstream', 'h2c://127.0.0.1:9']", "txproxy.proxy.upstream.http2.http2_upstream"),
        ("['reverse', '--upstream', 'http://127.0.0.1:9', '--health-check', '/']", "txproxy.upstreams.health.probe"),
        ("['forward']", "txproxy.proxy.downstream.socks5"),
    ],
)
def test_what_will_be_asked_for_is_there_before_a_client_comes(words, wanted):
    # An upgrade puts other modules in the place of these, and who has given up rights, or its root, may read none.
    loaded = run(
        "import sys",
        "from txproxy.tap import Options",
        "made = Options()",
        f"made.parseOptions([*{words}, '--listen', 'tcp:0:interface=127.0.0.1'])",
        "made.subOptions.service.startService()",
        "print(*sys.modules)",
    ).split()
    assert wanted in loaded


@pytest.mark.parametrize("mode", ["forward", "reverse", "tcp", "run"])
def test_the_options_of_a_mode_wait_for_no_other(mode):
    others = {"forward", "pools", "run"} - {"pools" if mode in ("reverse", "tcp") else mode}
    loaded = run(
        "import sys",
        "from txproxy.tap import Options",
        "try:",
        f"    Options().parseOptions(['{mode}', '--help'])",
        "except SystemExit:",
        "    print()",
        "    print(*sys.modules)",
    ).splitlines()[-1]
    assert not {f"txproxy.cli.options.{other}" for other in others} & set(loaded.split())
