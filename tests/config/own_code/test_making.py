"""All code of a configuration, made once to see whether it can be."""

import pytest

from txproxy.config.own_code.making import try_to_make
from txproxy.config.toml.file import parse
from txproxy.errors import ConfigError

TEXT = """python_path = "."
[[listeners]]
listen = "tcp:80"
pool = "app"
middleware = {{ use = "own_hooks:Team", name = "{0}" }}
[[listeners]]
mode = "forward"
listen = "tcp:81"
[[listeners.rules]]
action = "allow"
middleware = {{ use = "own_hooks:Team", name = "{0}" }}
[[routes]]
name = "r"
path = "/r"
pool = "app"
middleware = {{ use = "own_hooks:Team", name = "{0}" }}
[pools.app]
upstreams = "http://10.0.0.1"
"""


def test_it_is_made_at_each_place(own):
    file = str(own / "proxy.toml")
    try_to_make(parse(TEXT.format("blue"), file))
    with pytest.raises(ConfigError) as fault:
        try_to_make(parse(TEXT.format("too long"), file))
    assert [one.path for one in fault.value.findings] == [
        ("listeners", 0, "middleware", 0),
        ("listeners", 1, "rules", 0, "middleware", 0),
        ("routes", 0, "middleware", 0),
    ]
