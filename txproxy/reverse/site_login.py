"""A site that is for those who log in: who may, and what its servers are told of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from txproxy.auth.auth_policy import AuthPolicy
from txproxy.auth.authenticator import Authenticator
from txproxy.auth.credentials import SITE, User
from txproxy.errors import ConfigError
from txproxy.interfaces.answers import Answer, Outcome, Refusal, Verdict
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.middleware import Handler, IMiddleware, decided
from txproxy.interfaces.plan import Decision, OwnFields, Plan
from txproxy.plain_values import PlainValue
from txproxy.reverse.challenge.challenger import excepts
from txproxy.reverse.rewriting.header_fields import changed, settable
from txproxy.reverse.routing.matches import Match
from txproxy.wire.forwarding import plain, replaced
from txproxy.wire.message import RequestHead

# Files of users are looked at again when a request comes, if that was so many seconds ago.
_EVERY: Final = 10.0
_NO_GROUPS: Final[frozenset[str]] = frozenset()
_FORBIDDEN: Final = Refusal(403, "http_request_denied", "this user may not", sentence="You may not see this.")


@attrs.frozen(kw_only=True)
class SiteLogin(PlainValue):
    """Requests of a listener or a route come from users that ``policy`` knows, but for those that are ``excepted``:
    from all of them, or, where ``users`` or ``groups`` name some, from these (403 to others). Servers do not get the
    credentials, unless they are to (``pass_credentials``), and are told the name in ``user_header``, if there is one.
    """

    policy: AuthPolicy
    users: frozenset[str] = attrs.field(default=frozenset(), converter=frozenset)
    groups: frozenset[str] = attrs.field(default=frozenset(), converter=frozenset)
    excepted: tuple[Match, ...] = ()
    user_header: str = ""
    pass_credentials: bool = False

    def __attrs_post_init__(self) -> None:
        if self.groups and self.policy.group_file is None:
            raise ConfigError("nobody is in a group", "accepted is it with group_file", ("groups",))
        if self.user_header:
            try:
                name = settable(self.user_header)
            except ConfigError as fault:
                raise fault.at("user_header") from None
            if name.lower() == SITE.said:
                raise ConfigError("it has the credentials", "accepted are other fields", ("user_header",))

    def may(self, user: User) -> bool:
        """Whether ``user`` is one of those for whom it is."""
        if not self.users and not self.groups:
            return True
        return user.name in self.users or not self.groups.isdisjoint(user.groups)

    def meaning(self) -> str:
        """It in a few words."""
        names = [*sorted(self.users), *(f"group {group}" for group in sorted(self.groups))]
        return "for " + (", ".join(names) if names else "all who are known")


@implementer(IMiddleware)
class LoginRequired:
    """Stands around what is for those who log in. ``seconds`` is the clock by which its files are looked at."""

    def __init__(self, login: SiteLogin, authenticator: Authenticator, seconds: Callable[[], float]) -> None:
        self._login = login
        self._authenticator = authenticator
        self._seconds = seconds
        self._next_look = seconds() + _EVERY
        name = login.user_header.encode("ascii")
        self._user_line = name + b": " if name else b""
        self._names = frozenset({name.lower()} if name else ())
        # What a client says in the name of the proxy goes nowhere; who need not log in may have credentials for others.
        self._claimed = frozenset(map(plain, self._names))
        self._gone = self._claimed if login.pass_credentials else self._claimed | {SITE.said}
        # Whoever is told a name may answer for it alone, and who gets credentials anyway.
        self._personal = bool(name) or login.pass_credentials
        self._own_fields = OwnFields((self._gone,), ()) if self._gone else None

    def handle(self, request: RequestHead, context: RequestContext, proceed: Handler) -> Decision:
        """See :class:`txproxy.interfaces.IMiddleware`."""
        trace = context.trace
        if self._login.excepted and excepts(self._login.excepted, request, context):
            if trace is not None:
                trace.say("login", "not for this request")
            return self._go_on(request, None, context, proceed)
        if trace is not None and trace.dry_run:
            trace.say("login", self._login.meaning(), "which is not asked here")
            return self._go_on(request, None, context, proceed)
        self._look_at_files()
        checked = self._authenticator.check(request, context)
        if isinstance(checked, Deferred):
            waiting: Any = checked.addCallback(self._judge, request, context, proceed)
            decision: Decision = waiting
            return decision
        return self._judge(checked, request, context, proceed)

    def _look_at_files(self) -> None:
        now = self._seconds()
        if now >= self._next_look:
            self._next_look = now + _EVERY
            self._authenticator.check_files()

    def _judge(
        self, checked: User | Refusal, request: RequestHead, context: RequestContext, proceed: Handler
    ) -> Decision:
        if isinstance(checked, Refusal):
            context.user, context.groups = None, _NO_GROUPS
            return _refused(checked, context)
        context.user, context.groups = checked.name, checked.groups
        if context.trace is not None:
            context.trace.say("login", f"it is {checked.name}")
        if not self._login.may(checked):
            return _refused(_FORBIDDEN, context)
        return self._go_on(request, checked, context, proceed)

    def _go_on(self, request: RequestHead, user: User | None, context: RequestContext, proceed: Handler) -> Decision:
        context.personal = context.personal or (user is not None and self._personal)
        gone = self._gone if user is not None else self._claimed
        if not gone:
            return proceed(request, context)
        told = [self._user_line + user.name.encode("utf-8")] if user is not None and self._user_line else []
        headers = replaced(request.headers, gone, self._names, told)
        return decided(proceed(changed(request, request.path, headers, self._names), context), self._guard)

    def _guard(self, decision: Plan | Answer | Refusal) -> Plan | Answer | Refusal:
        """What it says of the user comes in no trailer either."""
        if isinstance(decision, Plan) and self._own_fields is not None:
            inner = decision.own_fields
            decision.own_fields = self._own_fields if inner is None else self._own_fields.and_(inner)
        return decision


def _refused(refusal: Refusal, context: RequestContext) -> Refusal:
    context.verdict = Verdict(outcome=Outcome.DENY, rule="login", reason=refusal.detail)
    return refusal
