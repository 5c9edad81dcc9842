"""Forward mode: on the clients' side, towards any origin that policy allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from txproxy.lazy_imports import lazily

if TYPE_CHECKING:
    from txproxy.auth.auth_policy import AuthPolicy
    from txproxy.auth.credentials import IBearerToken, User
    from txproxy.auth.login_throttle import TryLimits
    from txproxy.forward.access.content_policy import ContentRules
    from txproxy.forward.access.rules import Rule
    from txproxy.forward.blocklists.filtering import Filters, ListFile
    from txproxy.forward.egress.approvals import Approvals, Pending, Question
    from txproxy.forward.egress.credentials_injection import Injection
    from txproxy.forward.mode import ForwardMode
    from txproxy.forward.parents.parent import Parent
    from txproxy.forward.parents.selection import Parents
    from txproxy.forward.policy import ForwardPolicy
    from txproxy.forward.proxy_factory import ForwardProxyFactory
    from txproxy.forward.request.privacy import Privacy
    from txproxy.forward.request.targets import Bind
    from txproxy.forward.request.url_rewrites import Rewrite
    from txproxy.interfaces.answers import Outcome, Verdict
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "txproxy.forward.access.content_policy": ["ContentRules"],
            "txproxy.forward.access.rules": ["Rule"],
            "txproxy.auth.auth_policy": ["AuthPolicy"],
            "txproxy.auth.credentials": ["IBearerToken", "User"],
            "txproxy.auth.login_throttle": ["TryLimits"],
            "txproxy.forward.blocklists.filtering": ["Filters", "ListFile"],
            "txproxy.forward.egress.approvals": ["Approvals", "Pending", "Question"],
            "txproxy.forward.egress.credentials_injection": ["Injection"],
            "txproxy.forward.mode": ["ForwardMode"],
            "txproxy.forward.proxy_factory": ["ForwardProxyFactory"],
            "txproxy.forward.parents.parent": ["Parent"],
            "txproxy.forward.parents.selection": ["Parents"],
            "txproxy.forward.policy": ["ForwardPolicy"],
            "txproxy.forward.request.privacy": ["Privacy"],
            "txproxy.forward.request.targets": ["Bind"],
            "txproxy.forward.request.url_rewrites": ["Rewrite"],
            "txproxy.interfaces.answers": ["Outcome", "Verdict"],
        },
    )

__all__ = [
    "ForwardProxyFactory",
    "ForwardPolicy",
    "ForwardMode",
    "Rule",
    "Verdict",
    "Outcome",
    "ContentRules",
    "AuthPolicy",
    "TryLimits",
    "User",
    "IBearerToken",
    "ListFile",
    "Filters",
    "Question",
    "Pending",
    "Approvals",
    "Injection",
    "Rewrite",
    "Privacy",
    "Bind",
    "Parent",
    "Parents",
]
