"""Squid's configuration as ours.

What Squid refuses is refused by the translation. Where something cannot be said, a line that allows is left out, and
one that denies denies more; both are noted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from txproxy.errors import ConfigError
from txproxy.importers.notes import Note, Translation, Untranslatable
from txproxy.importers.squid.access_lists import Acls
from txproxy.importers.squid.cache_peers import Ways, ways
from txproxy.importers.squid.caching_directives import Caching, caching
from txproxy.importers.squid.directives import REASONS, SETTINGS
from txproxy.importers.squid.formulas import TRUE, Formula, as_table, both, positive
from txproxy.importers.squid.reader import Directive, Unread, read, read_file
from txproxy.importers.squid.squid_settings import Settings
from txproxy.importers.toml_lines import comment, pairs, tables, value

_ANYBODY: Final = ("0.0.0.0/0", "::/0")
# Expressions that look at where a URL begins or ends, or at its port.
_TUNNEL: Final = re.compile(r"^\^(?!h|\(h)|\$$|:[0-9]")
# By what files of other programs are told from Squid's, which begin all lines with a directive.
_OTHERS: Final = {
    "a configuration of nginx": re.compile(r"^\s*(?:events|http|stream|server|upstream\s+\S+)\s*\{", re.M),
    "a configuration of HAProxy": re.compile(
        r"^(?:global|defaults|(?:frontend|backend|listen)\s+\S+)\s*(?:#.*)?$", re.M
    ),
    "a configuration of Apache": re.compile(r"^\s*<(?:VirtualHost|Proxy|Directory|Location|IfModule)\b", re.M | re.I),
    "a configuration of txproxy, or other TOML": re.compile(r"^\s*\[\[?[A-Za-z_.]+\]\]?\s*(?:#.*)?$", re.M),
}
KNOWN: Final = {*SETTINGS, *REASONS, "acl", "http_access", "include"}


def translate(text: str, path: str) -> Translation:
    """Translate ``text``, the configuration of a Squid in the file ``path``. Files that it includes, or that its lists
    are in, are read.
    """
    return _Translator(text, path).run()


def translate_file(path: str) -> Translation:
    """The same for the file itself; ``ConfigError`` if it cannot be read."""
    try:
        text = read_file(path)
    except OSError as fault:
        raise ConfigError(f"{path}: {fault.strerror}", "accepted is a squid.conf that can be read") from None
    for program, sign in _OTHERS.items():
        if sign.search(text):
            raise ConfigError(f"{path}: this is {program}", "accepted is a squid.conf")
    directives = [one for one in read(text, path) if isinstance(one, Directive)]
    if directives and not any(one.name in KNOWN for one in directives):
        raise ConfigError(f"{path}: not one line of it is a directive of Squid's", "accepted is a squid.conf")
    return translate(text, path)


class _Translator:
    def __init__(self, text: str, path: str) -> None:
        self.path = path
        self.notes: list[Note] = []
        self.acls = Acls()
        self.settings = Settings()
        self.ways = Ways([], [], [])
        self.caching = Caching({}, (), ())
        self.access: list[Directive] = []
        self.others: list[Directive] = []
        self._read(text)

    def _read(self, text: str) -> None:
        """Lists first: what is said of one later holds for all places that name it."""
        for found in read(text, self.path):
            if isinstance(found, Unread):
                self.notes.append(found.note)
            elif found.name == "acl":
                try:
                    self.acls.define(found)
                except Untranslatable as fault:
                    self.notes.append(found.note(str(fault)))
            elif found.name == "http_access":
                self.access.append(found)
            else:
                self.others.append(found)

    def run(self) -> Translation:
        # What lists say of users depends on whether there are any.
        for directive in sorted(self.others, key=lambda one: one.name != "auth_param"):
            self._set(directive)
            self.acls.knows_users = "password_file" in self.settings.auth
        self.ways = ways(self.settings)
        self.caching = caching(self.settings, self.acls, self._place)
        self.notes += [*self.ways.notes, *self.caching.notes]
        rules, destinations = self._rules()
        for name, place in self.acls.defined():
            self._note_list(name, place)
        return Translation(self._written(rules, destinations), tuple(self._in_order()))

    def _in_order(self) -> Iterable[str]:
        return dict.fromkeys(map(str, sorted(self.notes, key=lambda note: note.order)))

    def _set(self, directive: Directive) -> None:
        setting = SETTINGS.get(directive.name)
        if setting is None:
            self.notes.append(directive.note(REASONS.get(directive.name, "there is nothing like it here")))
            return
        try:
            setting(directive, self.settings, self.acls)
        except Untranslatable as fault:
            self.notes.append(directive.note(str(fault)))

    def _note_list(self, name: str, place: Directive) -> None:
        kind = self.acls.kind(name)
        try:
            self.acls.formula(name)
        except Untranslatable as fault:
            if kind != "maxconn" or "max_connections_per_client" not in self.settings.limits:
                self.notes.append(place.note(f"{name}: {fault}"))
            return
        words = self.acls.words(name)
        if kind in ("dstdomain", "dstdom_regex") and "-n" not in words:
            why = "hosts that are given by their address are not looked up for a name"
            self.notes.append(Note(self.path, 0, "acl", why))
        elif kind == "url_regex" and any(_TUNNEL.search(word) for word in words):
            self.notes.append(place.note(f"{name}: of a tunnel, it is searched in https://HOST/, and not in HOST:443"))

    # -- rules

    def _rules(self) -> tuple[list[dict[str, Any]], list[str]]:
        """The rules, and the networks that some of them allow by name."""
        rules: list[dict[str, Any]] = []
        destinations: list[str] = []
        for directive in self.access:
            action, *references = directive.words or ("",)
            if action not in ("allow", "deny") or not references:
                self.notes.append(directive.note("allow or deny, and lists, are wanted"))
                continue
            if self._is_about_connections(action, references, directive):
                continue
            formula = self._allowed(directive, references) if action == "allow" else self._denied(directive, references)
            if action == "allow":
                destinations += positive(formula, "addresses")
            said = " ".join(directive.words)
            for number, conjunction in enumerate(formula):
                more = f" ({number + 1})" if len(formula) > 1 else ""
                name = f"{self._place(directive)}: {said}{more}"
                asks = {"challenge": True} if action == "deny" and self._asks_again(references) else {}
                rules.append({"name": name, "action": action, **asks, **as_table(conjunction)})
        rules += self._last(rules)
        return [*self.ways.denied, *rules], list(dict.fromkeys(destinations))

    def _place(self, directive: Directive) -> str:
        return str(directive.line) if directive.file == self.path else directive.place

    def _is_about_connections(self, action: str, references: Sequence[str], directive: Directive) -> bool:
        """``deny`` with nothing but ``maxconn`` is a limit."""
        if action != "deny" or len(references) != 1 or self.acls.kind(references[0]) != "maxconn":
            return False
        words = [word for word in self.acls.words(references[0]) if word.isdigit()]
        if not words:
            return False
        self.settings.limits.setdefault("max_connections_per_client", max(int(words[0]), 1))
        return True

    def _allowed(self, directive: Directive, references: Sequence[str]) -> Formula:
        try:
            return self.acls.all_of(references)
        except Untranslatable as fault:
            self.notes.append(directive.note(f"it is left out, and allows nothing: {fault}"))
            return ()

    def _denied(self, directive: Directive, references: Sequence[str]) -> Formula:
        formula = TRUE
        left_out = []
        for reference in references:
            try:
                formula = both(formula, self.acls.formula(reference))
            except Untranslatable as fault:
                left_out.append((reference, fault))
        more = "more than it should" if formula != TRUE else "all that comes to it"
        self.notes += [directive.note(f"it denies {more}, without {name}: {fault}") for name, fault in left_out]
        return formula

    def _last(self, rules: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What Squid does with all that no line is about: the opposite of the last line."""
        if rules and len(rules[-1]) == 2:
            return []
        last = self.access[-1].words if self.access else ("",)
        if last[0] == "deny":
            return [{"name": "all else", "action": "allow"}]
        return [*self._asked_again(last[1:]), {"name": "all else", "action": "deny"}]

    def _asks_again(self, references: Sequence[str]) -> bool:
        """Squid asks for other credentials where the list that it has looked at last is one of users."""
        return self.acls.knows_users and self.acls.kind(references[-1].removeprefix("!")) == "proxy_auth"

    def _asked_again(self, references: Sequence[str]) -> list[dict[str, Any]]:
        """Of what the last line would allow to others, Squid asks for the credentials of those: the list at which it
        stops is one of users.
        """
        found: list[dict[str, Any]] = []
        for at, users in enumerate(references):
            if not self._asks_again([users]):
                continue
            try:
                formula = both(self.acls.all_of(references[:at]), self.acls.formula(opposite_of(users)))
            except Untranslatable:
                continue
            found += [{"action": "deny", "challenge": True, **as_table(conjunction)} for conjunction in formula]
        return [{"name": f"all else, as others ({number})", **table} for number, table in enumerate(found, 1)]

    # -- writing

    def _written(self, rules: Sequence[Mapping[str, Any]], destinations: Sequence[str]) -> str:
        settings = self.settings
        lines = [comment(f"From {self.path}, for txproxy run --config."), ""]
        if settings.log:
            lines += ["[log]", *pairs(settings.log), ""]
        if self.caching.table:
            lines += ["[cache]", *pairs(self.caching.table), "", *tables("cache_rules", self.caching.rules)]
        lines += ["[[listeners]]", *pairs(self._listener())]
        lines += ["# The rules say who may use it, and which ports.", *pairs({"allow_clients": _ANYBODY})]
        lines += pairs({"allow_ports": ["1-65535"]})
        lines += self._destinations(destinations)
        lines += pairs(self._origins())
        lines += ["", *self._tables(), *tables("listeners.rules", rules)]
        return "\n".join(lines).rstrip("\n") + "\n"

    def _listener(self) -> dict[str, Any]:
        found = {"name": "squid", "mode": "forward", "protocols": ["http"]}
        listener = dict(self.settings.listener)
        if "listen" not in listener and "tls_listen" not in listener:
            self.notes.append(Note(self.path, 0, "http_port", "there is none; taken to be 3128"))
            listener["listen"] = ["[::]:3128"]
        for key in ("listen", "tls_listen", "certificates"):
            if key in listener:
                found[key] = listener[key]
        return found

    def _destinations(self, destinations: Sequence[str]) -> list[str]:
        why = "loopback, link-local, private and metadata addresses are refused, unless allow_destinations has them"
        self.notes.append(Note(self.path, 0, "http_access", why))
        open_to_all = f"# allow_destinations = {value(_ANYBODY)}"
        if destinations:
            return [
                "# Those that the rules name, though they be private. Squid goes to any address:",
                open_to_all,
                *pairs({"allow_destinations": destinations}),
            ]
        return [
            "# Squid goes to loopback, private and metadata addresses as to others. So does this, with:",
            open_to_all,
        ]

    def _origins(self) -> dict[str, Any]:
        """What origins learn, and which way requests go."""
        settings = self.settings
        found: dict[str, Any] = {"forwarded_for": settings.listener.get("forwarded_for", "on")}
        if not settings.via or settings.pseudonym:
            found["via"] = settings.pseudonym if settings.via else "none"
        if self.ways.parents:
            found["parents"] = self.ways.parents
        for key in ("no_proxy", "bind"):
            # Without a parent, all is reached directly.
            if key in settings.listener and (key == "bind" or self.ways.parents):
                found[key] = settings.listener[key]
        return found

    def _tables(self) -> list[str]:
        settings = self.settings
        lines = []
        if self.acls.knows_users:
            # Squid asks where a list does.
            lines += ["[listeners.auth]", *pairs({**settings.auth, "by_rules": True}), ""]
        if settings.limits:
            lines += ["[listeners.limits]", *pairs(settings.limits), ""]
        return [*lines, *tables("listeners.privacy", self._privacy()), *tables("listeners.binds", settings.binds)]

    def _privacy(self) -> list[dict[str, Any]]:
        settings = self.settings
        removed = {name.lower(): name for name in settings.removed}
        replaced = {
            name: value for name, value in settings.replaced.items() if name.lower() in removed or settings.removes_all
        }
        known = {name.lower() for name in replaced}
        found: dict[str, Any] = {}
        if settings.removes_all:
            found["keep"] = list(dict.fromkeys(name for name in settings.allowed if name.lower() not in removed))
        elif removed.keys() - known:
            found["remove"] = [name for lower, name in removed.items() if lower not in known]
        if replaced:
            found["replace"] = replaced
        if settings.from_responses:
            found["remove_from_responses"] = list(dict.fromkeys(settings.from_responses))
        return [found] if found else []


def opposite_of(reference: str) -> str:
    """``!name`` of ``name``, and the other way round."""
    return reference[1:] if reference.startswith("!") else f"!{reference}"
