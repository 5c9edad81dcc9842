"""Routes that answer CONNECT."""

from txproxy.reverse.route_actions.tunnel_action import TunnelAction


def test_it_leads_to_a_pool_of_either_kind(read, parts):
    made, faults = read(TunnelAction, tunnel="db")
    assert made == TunnelAction(pool="db") and not faults
    assert [(use.pool, use.tcp) for use in made.uses] == [("db", None)]
    assert made.build(parts).pools == (parts.pools["db"],)
