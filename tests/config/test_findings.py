"""What is found with its path is told with its place: a line of a file, or an option."""

from txproxy.config.findings import Findings, of_option, told
from txproxy.config.model import Config, ForwardListener
from txproxy.config.sources.lines import Place
from txproxy.errors import ConfigError

LINES = {(): 1, ("listeners",): 3, ("listeners", 0): 3, ("listeners", 0, "listen"): 5, ("via",): 2}
PLACES = {path: Place("p.toml", line) for path, line in LINES.items()}
LISTENERS = (ForwardListener(listen=("tcp:1",)),)


def test_each_line_is_a_fault_without_long_words_and_passwords():
    findings = Findings()
    findings.fault(("a",), f"no {'x' * 500} here\nnor http://u:s3cret@h", "accepted is none")
    findings.doubt(("b",), "http://u:s3cret@h")
    (one, other), (doubt,) = findings.faults, findings.doubts
    assert (one.path, one.said) == (("a",), f"no {'x' * 60}... here")
    assert (other.said, other.accepted) == ("nor http://***@h", "accepted is none")
    assert (doubt.path, doubt.said) == (("b",), "http://***@h")


def test_who_has_given_a_file_is_told_of_its_lines():
    config = Config(listeners=LISTENERS, source="p.toml", places=PLACES)
    fault = ConfigError("tcp:1: cannot be", path=("listeners", 0, "listen", 0))
    assert str(told(fault, config)) == "p.toml:5: listeners[0].listen[0]: tcp:1: cannot be"
    fault = ConfigError("gone", path=("listeners", 0, "certificates", 0), place="cert a.pem")
    assert str(told(fault, config)) == "p.toml:3: listeners[0].certificates[0]: cert a.pem: gone"


def test_the_value_of_an_option_is_told_of_with_its_name():
    fault = ConfigError("gone", "accepted is a file", ("password_file",), place="")
    assert str(of_option(fault, "auth-file")) == "--auth-file: gone; accepted is a file"
    assert of_option(fault, "auth-file").findings[0].path == ("password_file",)


def test_who_has_given_options_is_told_of_these():
    config = Config(listeners=LISTENERS)
    for path, option in (
        (("listeners", 0, "listen", 0), "--listen"),
        (("listeners", 0, "tls_listen", 1), "--tls-listen"),
        (("log", "access"), "--access-log"),
        (("log", "access_format"), "--access-log-format"),
    ):
        assert str(told(ConfigError("x: cannot be", path=path), config)) == f"{option} x: cannot be"
    fault = ConfigError("gone", path=("listeners", 0, "certificates", 0), place="--tls-cert a.pem")
    assert str(told(fault, config)) == "--tls-cert a.pem: gone"
    # Nobody has written such a path.
    assert str(told(ConfigError("all is wrong", path=("listeners", 0, "auth")), config)) == "all is wrong"
