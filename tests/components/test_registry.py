"""Components by their names, found in their folder."""

import pytest

from txproxy.components.registry import component, components, find, names_of
from txproxy.errors import ConfigError
from txproxy.upstreams.balancing.strategies import RoundRobin
from txproxy.upstreams.balancing.strategy import BALANCING


def test_all_of_a_folder_are_found_in_their_order():
    assert find(BALANCING, "round-robin", "strategy") is RoundRobin
    assert names_of(BALANCING)[:2] == ("round-robin", "random")
    assert components(BALANCING)["header-hash"].written == "header-hash:NAME"
    assert list(components(BALANCING)) == [name.partition(":")[0] for name in names_of(BALANCING)]


def test_what_is_none_is_told_with_what_may_be_meant():
    with pytest.raises(ConfigError, match=r"'leastconn' is no strategy \(is least-connections meant\?\); accepted"):
        find(BALANCING, "leastconn", "strategy")
    with pytest.raises(ConfigError, match="'firts;x' is no strategy"):
        find(BALANCING, "firts", "strategy", "firts;x")


def test_a_name_is_one_component_and_stands_in_its_folder():
    components(BALANCING)
    with pytest.raises(AssertionError, match="there are two of upstreams/balancing called random"):
        component(BALANCING, "random")(RoundRobin)
    with pytest.raises(AssertionError, match=r"stands in txproxy\.upstreams\.balancing"):
        component("reverse/actions", "random")(RoundRobin)


def test_one_more_file_in_the_folder_is_one_more_component(tmp_path, monkeypatch):
    import txproxy.upstreams.balancing as package

    (tmp_path / "last_one.py").write_text(
        "from txproxy.components.registry import component\n"
        "from txproxy.upstreams.balancing.strategy import BALANCING, Strategy\n"
        "@component(BALANCING, 'last-one')\n"
        "class LastOne(Strategy):\n"
        "    passed_over = 'it is not the last one'\n"
    )
    from txproxy.components import registry

    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    monkeypatch.setitem(registry._known, BALANCING, dict(registry._known[BALANCING]))
    registry.components.cache_clear()
    try:
        assert names_of(BALANCING)[-1] == "last-one"
        assert find(BALANCING, "last-one", "strategy").passed_over == "it is not the last one"
    finally:
        registry.components.cache_clear()
