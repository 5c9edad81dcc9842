"""Whatever clients ask for, and the origin does, each response is of one version of the resource, and says truly which
part of it that is; and once all is quiet, the cache still gives what the origin has.
"""

import random

import pytest

from tests.proxy.caching.caching_proxy import get
from tests.proxy.caching.changing_origin import ChangingOrigin, fault, request
from txproxy.cache.disk.disk_store import DiskStore
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.purging.mark import Kind
from txproxy.cache.tiered_store import TieredStore

MB = 1 << 20


@pytest.fixture(params=["memory", "little memory", "disk", "little disk"])
def proxy(request, make, tmp_path):
    if request.param.endswith("memory"):
        return make(size=8 * MB if request.param == "memory" else 600_000)
    disk = DiskStore(str(tmp_path / "cache"), 32 * MB if request.param == "disk" else MB)
    request.addfinalizer(disk.close)
    return make(store=TieredStore(MemoryStore(8 * MB), disk))


class Play:
    """Clients and an origin, who do something by ``chance``."""

    def __init__(self, proxy, seed, odd):
        self.proxy = proxy
        self.chance = random.Random(seed)
        self.origin = ChangingOrigin(proxy, self.chance, odd)
        # what each client has asked, and has got so far; what each connection of the origin's has still to send
        self.clients = {}
        self.asked = {}
        self.got = {}
        self.sending = {}

    def step(self):
        """Something happens."""
        act = self.chance.choices(
            [self.ask, self.send, self.finish, self.cut, self.leave, self.change, self.purge, self.post, self.wait],
            [30, 40, 20, 5, 3, 3, 3, 2, 2],
        )[0]
        act()
        self.look()

    def look(self):
        for connection, question in self.proxy.questions():
            if question.startswith(b"POST"):
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            else:
                self.sending[connection] = self.origin.answer(question)
        self.proxy.clock.advance(0)
        for client, asked in self.asked.items():
            self.got[client] += client.take()
            wrong = fault(self.got[client], asked, self.origin.versions)
            assert wrong is None, (wrong, asked, self.got[client][:600])
        # Only the last response of each counts: one connection is one request.

    def ask(self):
        client = self.proxy.connect()
        self.asked[client] = asked = request(self.chance, len(self.origin.now.body))
        self.got[client] = b""
        client.send(asked)

    def send(self, all_of_it=False):
        if self.sending:
            connection = self.chance.choice(list(self.sending))
            rest = self.sending.pop(connection)
            size = len(rest) if all_of_it else self.chance.randrange(1, len(rest) + 1)
            connection.send(rest[:size])
            if rest[size:] and not connection.closed:
                self.sending[connection] = rest[size:]

    def finish(self):
        self.send(all_of_it=True)

    def cut(self):
        if self.sending:
            connection = self.chance.choice(list(self.sending))
            del self.sending[connection]
            connection.drop()

    def leave(self):
        if self.asked:
            client = self.chance.choice(list(self.asked))
            client.drop()
            del self.asked[client]

    def change(self):
        self.origin.change()

    def purge(self):
        self.proxy.cache.purge(Kind.ALL, soft=self.chance.random() < 0.5)

    def post(self):
        self.proxy.connect().send(get(method="POST", content_length="0"))

    def wait(self):
        self.proxy.pass_time(self.chance.choice([1, 10, 61]))

    def end(self):
        """All that was begun is brought to an end."""
        for _ in range(300):
            while self.sending:
                self.finish()
                self.look()
            self.look()
            if not self.proxy.cache.fills and not self.sending:
                return
        raise AssertionError("somebody waits for ever")


@pytest.mark.no_cover
@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_no_response_is_of_two_versions(proxy, seed, odd):
    play = Play(proxy, seed, odd)
    for _ in range(200):
        play.step()
    play.end()
    play.origin.ways = ("right",)
    proxy.pass_time(100)
    for fields in ({}, {"range": "bytes=0-3"}, {"range": "bytes=-1"}, {}):
        client = proxy.connect()
        client.send(get(**fields))
        play.asked = {client: get(**fields)}
        play.got = {client: b""}
        play.end()
        assert play.got[client].startswith(b"HTTP/1.1 20"), fields
        assert play.origin.now.tag in play.got[client]
