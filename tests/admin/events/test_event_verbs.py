"""The verb of events where workers do the rest."""

import attrs
from twisted.internet.defer import Deferred

from tests.admin.events.conftest import A
from txproxy.admin.admin_server import verbs_of
from txproxy.admin.merging import Asked


def test_it_is_the_masters_and_asks_all_workers(view, clock, serve, verbs):
    asked = []

    def relayed(verb):
        def handle(call):
            asked.append(verb.path)
            return answer

        return attrs.evolve(verb, handle=handle) if verb.merge.asked is not Asked.MASTER else verb

    answer = Deferred()
    found = {verb.path: verb for verb in verbs_of(view, clock, relayed)}
    assert found["/api/events"].merge.asked is Asked.MASTER
    client = serve(found.values())
    client.connection.send(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert asked == ["/api/status"] and b"event: status" not in client.connection.take()
    status = next(verb for verb in verbs if verb.path == "/api/status")
    answer.callback(status.handle(None))
    said = client.connection.take()
    assert b"event: status" in said and A.encode() in said
    client.connection.drop()
    assert clock.getDelayedCalls() == []


def test_what_it_is_asked_is_read(serve, verbs):
    answer = serve(verbs).ask("GET", "/api/events?status=2")
    assert answer.status == 400 and "accepted is 0 to 1" in answer.json["error"]
