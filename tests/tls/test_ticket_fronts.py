"""Keys of tickets that several processes have alike: here, two listeners' TLS that were made of the same contexts."""

import pytest
from OpenSSL import SSL

from tests.tls.authority import Ends, client_context, new_ca
from txproxy.tls.listener_contexts import ListenerTls, ServerTls
from txproxy.tls.ticket_fronts import SLOTS, TICKET_KEY_LIFE, TicketFronts

VERSIONS = pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION], ids=["1.2", "1.3"])


class Processes:
    """Each has what was made before it was forked."""

    def __init__(self, directory, ca):
        self.now, self.directory, self.ca = 1000.0, directory, ca
        self.pair = ca.issue("a.example").write(directory, "site")
        self.fronts = TicketFronts(lambda: self.now, periods=3)

    def serve(self, slot=0, fronts=True, **settings):
        config = ListenerTls(certificates=(self.pair,), ticket_slot=slot, **settings)
        return ServerTls(config, lambda: self.now, self.fronts if fronts else None)


class Visitor:
    """A client that comes back."""

    def __init__(self, ca, version, identity=None):
        self.context = client_context(ca, version=version, identity=identity)
        self.session = None

    def visit(self, tls):
        """Whether the session of the last visit was resumed."""
        ends = Ends(tls.context(), self.context, "a.example", self.session)
        assert ends.faults == []
        resumed = bool(SSL._lib.SSL_session_reused(ends.server._ssl))
        self.session = ends.close()
        return resumed


@pytest.fixture
def processes(tmp_path, ca):
    return Processes(tmp_path, ca)


@VERSIONS
def test_a_session_of_one_is_resumed_by_the_next_and_by_no_other_listener(processes, ca, version):
    first, second, other = processes.serve(), processes.serve(), processes.serve(1)
    visitor = Visitor(ca, version)
    assert [visitor.visit(tls) for tls in (first, second, first)] == [False, True, True]
    assert not visitor.visit(other)


@VERSIONS
def test_all_of_them_have_others_at_the_same_time_and_alike_until_there_are_none_left(processes, ca, version):
    first = processes.serve()
    processes.now += TICKET_KEY_LIFE / 3
    second = processes.serve()
    visitor = Visitor(ca, version)
    visitor.visit(first)
    for _ in range(2):
        processes.now += TICKET_KEY_LIFE * 0.6
        for tls in (first, second):
            tls.check()
        assert visitor.visit(second)
        processes.now += TICKET_KEY_LIFE * 0.4
        for tls in (first, second):
            tls.check()
        # It is another period, and the sessions of the one before have ended with it.
        assert [visitor.visit(tls) for tls in (second, first, second)] == [False, True, True]
    processes.now += TICKET_KEY_LIFE
    for tls in (first, second):
        tls.check()
    assert [visitor.visit(tls) for tls in (first, first, second)] == [False, True, False]


@VERSIONS
def test_one_that_is_made_later_has_those_of_now(processes, ca, version):
    first = processes.serve()
    processes.now += TICKET_KEY_LIFE + 1
    first.check()
    visitor = Visitor(ca, version)
    assert [visitor.visit(tls) for tls in (first, processes.serve())] == [False, True]


@VERSIONS
def test_a_session_is_no_way_past_other_cas(processes, ca, version):
    clients = processes.directory / "clients.pem"
    old, new = new_ca("old"), new_ca("new")
    clients.write_bytes(old.cert_pem)
    tls = processes.serve(client_ca=str(clients))
    visitor = Visitor(ca, version, old.issue("client"))
    assert [visitor.visit(tls) for _ in range(2)] == [False, True]
    clients.write_bytes(new.cert_pem)
    assert tls.check()
    ends = Ends(tls.context(), visitor.context, "a.example", visitor.session)
    assert ends.server_refused and not SSL._lib.SSL_session_reused(ends.server._ssl)
    # For the rest of the time it has keys of its own.
    visitor = Visitor(ca, version, new.issue("client"))
    assert [visitor.visit(tls) for _ in range(2)] == [False, True]
    processes.now += TICKET_KEY_LIFE
    tls.check()
    assert [visitor.visit(one) for one in (tls, processes.serve(client_ca=str(clients)))] == [False, True]


@pytest.mark.parametrize("slot", [None, SLOTS])
def test_what_has_no_slot_has_keys_of_its_own(processes, ca, slot):
    first, second = processes.serve(slot), processes.serve(slot)
    visitor = Visitor(ca, SSL.TLS1_3_VERSION)
    assert [visitor.visit(tls) for tls in (first, first, second)] == [False, True, False]
    alone = processes.serve(0, fronts=False)
    assert [visitor.visit(tls) for tls in (alone, alone, processes.serve())] == [False, True, False]
