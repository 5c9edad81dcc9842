"""Factories of configurations before."""

import attrs
from twisted.internet.defer import Deferred

from txproxy.runtime.builder import Served
from txproxy.runtime.leaving import Leaving


@attrs.define(eq=False)
class Factory:
    done: Deferred = attrs.field(factory=Deferred)
    calls: list = attrs.field(factory=list)

    def retire(self):
        self.calls.append("retire")
        return self.done

    def drain(self):
        self.calls.append("drain")

    def stop(self):
        self.calls.append("stop")


@attrs.frozen
class Listener:
    name: str


def test_who_leaves_is_known_until_the_last_client_has_gone():
    left = []
    leaving = Leaving(left.append)
    one, other = Factory(), Factory()
    leaving.retire([Served(Listener("edge"), one, None)], "its logs", ["its audit"])
    leaving.retire([Served(Listener("out"), other, None)], "others", [])
    assert list(leaving) == [one, other] and leaving.named == [("edge", one), ("out", other)]
    assert leaving.logs == ["its logs", "others"] and leaving.audits == ["its audit"]
    (_, gone), _ = leaving.drain()
    assert one.calls == ["retire", "drain"] and not gone.called
    one.done.callback(None)
    assert gone.called and one.calls[-1] == "stop"
    assert left == ["its logs"] and list(leaving) == [other] and other.calls == ["retire", "drain"]


def test_who_goes_at_once_leaves_what_the_others_write_to():
    still = []
    leaving = Leaving(lambda logs: still.append(leaving.logs))
    one, other = Factory(), Factory()
    one.done.callback(None)
    leaving.retire([Served(Listener("edge"), one, None), Served(Listener("out"), other, None)], "logs", [])
    assert still == [["logs"]] and list(leaving) == [other]
