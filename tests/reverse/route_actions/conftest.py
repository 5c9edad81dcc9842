"""The table of a route, and what actions are built from."""

import pytest

from txproxy.config.findings import Findings
from txproxy.config.toml.tables import Table
from txproxy.reverse.actions.to_pool import ToPool
from txproxy.upstreams.pool import Pool


class Parts:
    """Two pools, and what was asked for."""

    via = None

    def __init__(self):
        self.pools = {name: Pool(["http://10.0.0.1"], name=name) for name in ("app", "db")}
        self.asked = []

    def pool(self, name):
        return self.pools[name]

    def to_pool(self, name, host=None, sticky=None):
        self.asked.append((name, host, sticky))
        return ToPool(self.pools[name], host=host)


@pytest.fixture
def parts():
    return Parts()


@pytest.fixture
def read(tmp_path):
    """What an action makes of a table, and what is wrong with that."""

    def read(kind, **data):
        findings = Findings()
        table = Table(data, ("routes", 0), "routes[]", findings, str(tmp_path))
        made = kind.read(table)
        table.close()
        return made, list(map(str, findings.faults))

    return read
