"""The command runs a mode as twistd does, and looks at nothing else that is installed."""

import subprocess
import sys

import pytest
from twisted.python.usage import UsageError

from txproxy.cli.starting.foreground import ForegroundOptions
from txproxy.tap import Options, makeService


def parsed(*words):
    options = ForegroundOptions()
    options.parseOptions(["--nodaemon", *words])
    return options


def test_a_mode_is_a_command_of_twistd():
    options = parsed("txproxy", "reverse", "--upstream", "http://127.0.0.1:9")
    assert options["nodaemon"] and isinstance(options.subOptions, Options)
    maker = options.loadedPlugins[options.subCommand]
    assert maker.makeService is makeService and maker.tapname == "txproxy"


def test_there_is_no_other_command():
    with pytest.raises(UsageError, match="web"):
        parsed("web", "--path", ".")


def test_twisted_has_other_reactors():
    with pytest.raises(UsageError, match="no-such"):
        parsed("--reactor=no-such", "txproxy")


def test_no_plugin_of_another_package_is_imported():
    lines = (
        "import sys",
        "from txproxy.cli.starting.foreground import ForegroundOptions",
        "ForegroundOptions().parseOptions(['--reactor=txproxy', 'txproxy', 'reverse', '--upstream', 'http://127.0.0.1:9'])",
        "from twisted.internet import reactor",
        "print(type(reactor).__name__, 'twisted.plugins' in sys.modules)",
    )
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stdout == "TxproxyReactor False\n"
