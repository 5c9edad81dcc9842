"""Reverse mode: on the servers' side, before a pool of upstreams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from txproxy.lazy_imports import lazily

if TYPE_CHECKING:
    from txproxy.reverse.actions.redirects import Redirect
    from txproxy.reverse.actions.static_files import Files
    from txproxy.reverse.actions.subrequests import ForwardAuth, Mirror
    from txproxy.reverse.actions.to_pool import ToPool
    from txproxy.reverse.actions.treatments import Action, Respond, SendElsewhere, Treated, Treatment, TunnelTo
    from txproxy.reverse.client_identity import Trust
    from txproxy.reverse.mode import ReverseMode, ReverseProxyFactory
    from txproxy.reverse.rewriting.by_status import StatusChanges
    from txproxy.reverse.rewriting.request_rewrite import RequestRewrite
    from txproxy.reverse.rewriting.response_rewrite import ResponseRewrite
    from txproxy.reverse.rewriting.strict_transport import Hsts
    from txproxy.reverse.routing.matches import Match
    from txproxy.reverse.routing.route import Route, by_client_ip
    from txproxy.reverse.web_resource import ReverseProxyResource
    from txproxy.wire.forwarding import via_entry
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "txproxy.reverse.actions.redirects": ["Redirect"],
            "txproxy.reverse.actions.static_files": ["Files"],
            "txproxy.reverse.actions.subrequests": ["ForwardAuth", "Mirror"],
            "txproxy.reverse.actions.to_pool": ["ToPool"],
            "txproxy.reverse.actions.treatments": [
                "Action",
                "Respond",
                "SendElsewhere",
                "Treated",
                "Treatment",
                "TunnelTo",
            ],
            "txproxy.reverse.client_identity": ["Trust"],
            "txproxy.reverse.mode": ["ReverseMode", "ReverseProxyFactory"],
            "txproxy.reverse.rewriting.request_rewrite": ["RequestRewrite"],
            "txproxy.reverse.rewriting.response_rewrite": ["ResponseRewrite"],
            "txproxy.reverse.rewriting.by_status": ["StatusChanges"],
            "txproxy.reverse.rewriting.strict_transport": ["Hsts"],
            "txproxy.reverse.routing.matches": ["Match"],
            "txproxy.reverse.routing.route": ["Route", "by_client_ip"],
            "txproxy.reverse.web_resource": ["ReverseProxyResource"],
            "txproxy.wire.forwarding": ["via_entry"],
        },
    )

__all__ = [
    "ReverseProxyFactory",
    "ReverseProxyResource",
    "ReverseMode",
    "Trust",
    "via_entry",
    "Route",
    "Match",
    "by_client_ip",
    "Action",
    "ToPool",
    "SendElsewhere",
    "Redirect",
    "Respond",
    "Files",
    "TunnelTo",
    "Treated",
    "Treatment",
    "RequestRewrite",
    "ResponseRewrite",
    "StatusChanges",
    "Hsts",
    "ForwardAuth",
    "Mirror",
]
