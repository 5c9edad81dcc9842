"""By which numbers workers have the same keys of tickets."""

import attrs

from txproxy.config.model import Config, ForwardListener, ReverseListener, TcpListener
from txproxy.runtime.workers.common.ticket_slots import TicketSlots
from txproxy.tls.listener_contexts import ListenerTls

ONE, OTHER = (ListenerTls(certificates=((name, None),)) for name in ("one.pem", "other.pem"))


def slots(made):
    return [listener.tls and listener.tls.ticket_slot for listener in made.listeners]


def test_each_listener_s_tls_has_its_own_and_what_is_not_changed_has_it_again():
    known = TicketSlots()
    config = Config(
        listeners=(ReverseListener(tls=ONE), TcpListener(), ForwardListener(tls=ONE), ReverseListener(tls=OTHER))
    )
    assert slots(known.assign(config)) == [0, None, 1, 2]
    assert known.assign(config) == known.assign(config) != config
    stricter = attrs.evolve(ONE, min_version="1.3")
    changed = attrs.evolve(config, listeners=(ReverseListener(tls=stricter), *config.listeners))
    assert slots(known.assign(changed)) == [3, 0, None, 1, 2]
