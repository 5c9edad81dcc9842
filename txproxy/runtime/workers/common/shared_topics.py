"""What one worker has in common with the others, by the topics that all of them have for it."""

from __future__ import annotations

from txproxy.forward.proxy_factory import ForwardProxyFactory
from txproxy.interfaces.processes.lending import Borrower
from txproxy.interfaces.processes.sharing import Shared
from txproxy.limits.requests.shared_gcra import SharedGcra
from txproxy.runtime.builder import Assembly


def shared_of(assembly: Assembly) -> dict[str, Shared]:
    """All of what runs in a worker of these. What is the same in two configurations has the same topic in both."""
    processes = assembly.config.workers
    rates: dict[str, SharedGcra] = dict(assembly.limits.shared_rates)
    for served in assembly.served:
        for rate in served.factory.admission.shared_rates:
            rates[f"connections {served.config.name}"] = rate
    for rate in rates.values():
        rate.of_processes(processes)
    limits = assembly.limits
    found: dict[str, Shared] = {
        **rates,
        **limits.shared_levels,
        **limits.shared_adaptive,
        **assembly.logins.shared,
    }
    for served in assembly.served:
        for levels in served.factory.admission.shared_levels:
            found[f"clients {served.config.name}"] = levels
        if served.places is not None:
            served.places.of_processes(processes)
            found[f"places {served.config.name}"] = served.places
    for served in assembly.served:
        if isinstance(served.factory, ForwardProxyFactory):
            found[f"questions {served.config.name}"] = served.factory.forward.approvals.levels
            found[f"answers {served.config.name}"] = served.factory.forward.answers
            logins = served.factory.forward.parts.logins
            # Where a reload has made two that are alike, they have one together.
            if logins is not None and logins not in found.values():
                found[f"logins {served.config.name}"] = logins
                found[f"logins under way {served.config.name}"] = logins.under_way
    if assembly.cache is not None:
        found["cache"] = assembly.cache.purges
    for allotments in assembly.allotments.values():
        # Forward listeners have one together.
        found |= allotments.shared
    for name, live in assembly.pools.items():
        found[f"pool {name}"] = live.standing
        live.room.of_processes(processes)
        found[f"room {name}"] = live.room
        found[f"strikes {name}"] = live.strikes
        found[f"retries {name}"] = live.pool.retries.levels
        for kind, pins in live.pins.items():
            found[f"pins {name} {kind}"] = pins
    return found


def borrowers_of(assembly: Assembly) -> dict[str, Borrower]:
    """All of it that the hub lends, by topics of their own."""
    found: dict[str, Borrower] = {}
    for topic, slots in assembly.limits.lent_slots.items():
        slots.of_processes(assembly.config.workers)
        found[topic] = slots
    return found
