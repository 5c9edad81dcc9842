"""Lines of a squid.conf that say who has access, translated and asked."""

import datetime

from txproxy.config import parse
from txproxy.forward.access.conditions.condition_type import Surroundings
from txproxy.forward.access.decisions import Rules
from txproxy.forward.request.facts import Facts
from txproxy.importers.squid.translation import translate
from txproxy.interfaces.answers import Outcome
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

PATH = "squid.conf"


NOTHING_SPECIAL = "unless allow_destinations has them"


class Translated:
    """A translation, read by our own configuration, and its rules."""

    def __init__(self, text, path=PATH):
        translation = translate(text, path)
        self.toml = translation.toml
        self.notes = [note for note in translation.notes if not note.endswith(NOTHING_SPECIAL)]
        self.config = parse(self.toml, "proxy.toml")
        (self.listener,) = self.config.listeners
        self.policy = self.listener.policy

    def verdict(self, *given, **words):
        return self.decide(*given, **words).outcome

    def decide(self, method="GET", url="http://site.example/", client="10.0.0.1", **words):
        moment = datetime.datetime.fromisoformat(words.pop("at", "2026-03-30 12:00"))
        rules = Rules(
            self.policy.rules,
            surroundings=Surroundings(now=lambda: moment),
            authenticates=self.policy.auth is not None,
        )
        return rules.decide(facts(method, url, client, **words))

    def allows(self, *words, **more):
        outcome = self.verdict(*words, **more)
        assert outcome in (Outcome.ALLOW, Outcome.DENY)
        return outcome is Outcome.ALLOW


def facts(method, url, client, user=None, addresses=None, fields=()):
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    host, _, port = authority.partition(":")
    lines = [line.encode() for line in fields]
    head = RequestHead(
        method.encode(),
        (slash + path).encode(),
        Headers.from_lines(lines),
        authority.encode(),
        None if method == "CONNECT" else scheme.encode(),
    )
    return Facts(head, client, host, int(port or {"http": 80, "https": 443}[scheme]), user, addresses=addresses)


def rules(access, *acls):
    return Translated("\n".join(["http_port 3128", *acls, *access.strip().splitlines()]))
