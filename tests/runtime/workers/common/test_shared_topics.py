"""What workers of one configuration have in common."""

import attrs
import pytest

from tests.runtime.listening import ListeningReactor
from txproxy.config import parse
from txproxy.net.dns.resolver import Resolver
from txproxy.runtime.builder import Around, Observers, assemble
from txproxy.runtime.workers.common.shared_keys import with_shared_keys
from txproxy.runtime.workers.common.shared_topics import borrowers_of, shared_of

FILE = """
workers = 4
[log]
access = "none"
[[listeners]]
name = "web"
listen = "tcp:8080"
{more}
[[routes]]
name = "all"
path = "/"
respond = {{ status = 200, body = "one" }}
"""
RATE = 'request_limits = [{ name = "all", rate = "10/s" }]'
CONNECTIONS = 'limits = { connection_rate = "5/s" }'


def built(more):
    reactor = ListeningReactor()
    config = parse(FILE.format(more=more), "edge.toml")
    return assemble(config, Observers(), Around(reactor, Resolver(reactor), shared=True))


def everything(more):
    return shared_of(built(more))


def topics(more):
    """All but what each listener has."""
    return {topic: shared for topic, shared in everything(more).items() if topic != "places web"}


@pytest.mark.parametrize(
    ("more", "count"),
    [("", 0), (RATE, 1), (CONNECTIONS, 1), (f"{RATE}\n{CONNECTIONS}", 2)],
)
def test_rates_of_requests_and_connections_are_shared_by_all_workers(more, count):
    shared = topics(more)
    assert len(shared) == count and all(one.processes == 4 for one in shared.values())


def test_so_are_the_connections_of_each_client():
    assert list(topics("limits = { max_connections_per_client = 3 }")) == ["clients web"]


def test_so_are_the_places_of_a_listener_of_which_each_has_its_share_alone():
    found = everything("limits = { max_connections = 10 }")["places web"]
    assert found._admission.limit == 3


def test_how_many_requests_are_at_work_is_lent():
    assembly = built('request_limits = [{ name = "few", concurrent = 9 }]')
    assert not topics('request_limits = [{ name = "few", concurrent = 9 }]')
    (topic, slots) = borrowers_of(assembly).popitem()
    assert topic.startswith("at work ")
    # Each of four has its own part, before anybody is asked.
    slots.borrow(lambda content: None)
    slots.told(("known", []))
    assert [slots.enter("a") for _ in range(3)] == [True, True, False]


def test_so_is_what_is_at_work_where_a_challenge_goes_by_it():
    found = topics("challenge = { active = 3 }")
    assert list(found) == ["challenge at work 'web' ''"]
    route = built('challenge = { above = "9/s" }').limits
    assert not route.shared_levels and len(route.shared_rates) == 1


def test_what_is_not_enforced_goes_by_what_they_hear_of_each_other():
    found = topics('request_limits = [{ name = "few", concurrent = 3, enforce = false }]')
    assert [topic.rpartition(" ")[0] for topic in found] == ["at work", "unmet"]


def test_so_is_what_a_pool_is_found_to_be_good_for():
    found = topics('[pools.app]\nupstreams = "http://10.0.0.1:80"\nadaptive = true')
    assert [topic for topic in found if "adaptive" in topic] == [
        "at work adaptive app",
        "unmet adaptive app",
        "adaptive app",
    ]


def test_so_are_bandwidths_but_for_those_of_other_listeners():
    topic, used = topics('bandwidths = [{ down = "1M" }]')
    assert topic.startswith("bandwidth ") and topic.endswith(" web") and used == "used web"
    assert [*topics('bandwidths = [{ down = "1M" }]')] == [topic, used] != [*topics('bandwidths = [{ down = "2M" }]')]


def test_so_are_logins_at_each_forward_listener(tmp_path):
    (tmp_path / "users").write_text("bob:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/")
    text = f"""
        workers = 4
        [[listeners]]
        mode = "forward"
        name = "office"
        listen = "3128"
        auth = {{ password_file = "{tmp_path}/users" }}
    """
    reactor = ListeningReactor()
    config = with_shared_keys(parse(text, "edge.toml"), b"secret")
    around = Around(reactor, Resolver(reactor), shared=True)
    assembly = assemble(config, Observers(), around)
    found = shared_of(assembly)
    topics = ("places", "questions", "answers", "logins", "logins under way")
    assert list(found) == [f"{topic} office" for topic in topics]
    # What a reload does not change goes on as it was.
    again = assemble(attrs.evolve(config, workers=5), Observers(), around, assembly)
    assert shared_of(again) == found
    again.stop_new(None)


def test_pools_are_shared_by_their_names():
    pools = '[pools.app]\nupstreams = "http://10.0.0.1:80"\n[[routes]]\nname = "app"\npath = "/app"\npool = "app"'
    found = topics(pools)
    assert list(found) == ["pool app", "room app", "strikes app", "retries app"] and found["room app"].processes == 4


@pytest.mark.parametrize(
    ("kind", "pins"), [("ip", ["pins app ip"]), ("header:X-User", ["pins app header:X-User"]), ("cookie", [])]
)
def test_so_are_clients_that_are_remembered(kind, pins):
    route = '[[routes]]\nname = "app"\npath = "/app"\npool = "app"'
    found = topics(f'[pools.app]\nupstreams = "http://10.0.0.1:80"\nsticky = "{kind}"\n{route}')
    assert [topic for topic in found if topic.startswith("pins")] == pins


def test_two_workers_have_the_same_topics_and_another_limit_has_another():
    assert list(topics(RATE)) == list(topics(RATE))
    assert list(topics(RATE)) != list(topics(RATE.replace("10/s", "11/s")))


@pytest.mark.parametrize(
    "more", [RATE, 'bandwidths = [{ down = "1M" }]', 'request_limits = [{ name = "few", concurrent = 3 }]']
)
def test_one_process_counts_without_others(more):
    reactor = ListeningReactor()
    config = attrs.evolve(parse(FILE.format(more=more), "edge.toml"), workers=1)
    assert shared_of(assemble(config, Observers(), Around(reactor, Resolver(reactor)))) == {}


def test_what_is_gone_from_a_cache_is_gone_from_that_of_all_workers():
    assert "cache" not in topics("")
    reactor = ListeningReactor()
    config = parse(FILE.format(more="") + '[cache]\nsize = "1M"\n', "edge.toml")
    surroundings = Around(reactor, Resolver(reactor), shared=True)
    first = assemble(config, Observers(), surroundings)
    # A reload goes on with what is kept, and with who tells of it.
    second = assemble(config, Observers(), surroundings, first)
    assert shared_of(first)["cache"] is shared_of(second)["cache"] is not None
