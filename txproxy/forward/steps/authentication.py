"""Who sends a request."""

from __future__ import annotations

from typing import Any, Final

from OpenSSL import SSL
from twisted.internet.defer import Deferred

from txproxy.auth.authenticator import Authenticator
from txproxy.auth.credentials import User
from txproxy.forward.access.refusals import denied
from txproxy.forward.steps.case import NEVER_KNOWN, Case, Result
from txproxy.interfaces.answers import Refusal, Verdict
from txproxy.interfaces.context import RequestContext
from txproxy.net.transports.tls_transports import tls_connection

_NO_GROUPS: Final[frozenset[str]] = frozenset()


class Authentication:
    """Asks who sends a request; ``client.user`` and ``client.groups`` say so from then on."""

    def __init__(self, authenticator: Authenticator, certificates: bool) -> None:
        self._authenticator = authenticator
        self._certificates = certificates

    def __call__(self, case: Case) -> Result | Deferred[Result]:
        """See :data:`Step`."""
        context = case.context
        context.user = None
        case.noted = False
        if self._certificates and context.connection.certificate is None:
            context.connection.certificate = _verified(context.connection.transport)
        checked = self._authenticator.check(case.asked, context)
        if type(checked) is User:
            context.user = checked.name
            context.groups = checked.groups
            if context.trace is not None:
                context.trace.say("auth", f"it is {checked.name}")
            case.known_until = self._authenticator.known_until
            return None
        case.known_until = NEVER_KNOWN
        if isinstance(checked, Deferred):
            if context.trace is not None:
                context.trace.say("auth", "the credentials are looked at")
            return checked.addCallback(_known, context)
        assert isinstance(checked, Refusal)
        return _known(checked, context)

    def challenge(self, verdict: Verdict) -> Refusal:
        """Ask for other credentials than those that came, which were right, but of somebody who may not."""
        return self._authenticator.challenge(f"{verdict.reason} ({verdict.rule})")


def _known(checked: User | Refusal, context: RequestContext) -> Result:
    if isinstance(checked, User):
        context.user = checked.name
        context.groups = checked.groups
        if context.trace is not None:
            context.trace.say("auth", f"it is {checked.name}")
        return None
    context.user = None
    context.groups = _NO_GROUPS
    context.verdict = denied(checked.detail, "auth")
    if context.trace is not None:
        context.trace.say("auth", "it is nobody, who is asked")
    return checked


def _verified(transport: object) -> Any:
    """The certificate that a client has shown on its way to the proxy, and OpenSSL has verified."""
    connection = tls_connection(transport)
    # With VERIFY_PEER, and no callback that would forgive, OpenSSL ends the handshake if it does not verify.
    if connection is None or not connection.get_verify_mode() & SSL.VERIFY_PEER:
        return None
    return connection.get_peer_certificate()
