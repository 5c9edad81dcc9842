"""What the admin API sees is what those show who run a proxy."""

from txproxy.admin.proxy_view import ProxyView
from txproxy.runtime.admin_entrance import RunningView


def test_what_runs_shows_all_that_is_asked_for():
    asked = {name for name in vars(ProxyView) if not name.startswith("_")}
    assert asked and asked <= set(vars(RunningView))
