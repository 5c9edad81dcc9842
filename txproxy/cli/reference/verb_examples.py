"""Three examples for the help page of each verb of ``txproxy ctl`` and ``txproxy cache``, of which tests hold that they
are calls.
"""

from __future__ import annotations

from typing import Final

_FILE: Final = "--config proxy.toml"
_PORT: Final = "--admin 127.0.0.1:9090"
_JSON: Final = "--json --admin unix:/run/txproxy/admin.sock"
# Of verbs that take nothing, it is said in how many ways one may be asked.
_ALONE: Final = (_FILE, f"{_PORT} --token-file token", _JSON)

# By command and verb, what follows these.
VERB_EXAMPLES: Final[dict[tuple[str, str], tuple[str, str, str]]] = {
    ("ctl", "pools"): _ALONE,
    ("ctl", "upstreams"): (_FILE, f"app {_FILE}", f"app {_JSON}"),
    ("ctl", "drain"): (
        f"app 10.0.0.1:8000 {_FILE}",
        f"app 10.0.0.1:8000 --for 5m {_FILE}",
        f"app http://10.0.0.1:8000 {_PORT}",
    ),
    ("ctl", "disable"): (f"app 10.0.0.1:8000 {_FILE}", f"app http://10.0.0.1:8000 {_PORT}", f"app 10.0.0.1 {_JSON}"),
    ("ctl", "enable"): (f"app 10.0.0.1:8000 {_FILE}", f"app http://10.0.0.1:8000 {_PORT}", f"app 10.0.0.1 {_JSON}"),
    ("ctl", "weigh"): (f"app 10.0.0.1:8000 5 {_FILE}", f"app 10.0.0.1:8000 0 {_FILE}", f"app 10.0.0.1 1 {_PORT}"),
    ("ctl", "add"): (
        f"app http://10.0.0.3:8000 {_FILE}",
        f"app 'http://10.0.0.3:8000;weight=2' {_FILE}",
        f"app 'http://10.0.0.4:8000;backup' {_PORT}",
    ),
    ("ctl", "remove"): (f"app 10.0.0.3:8000 {_FILE}", f"app http://10.0.0.3:8000 {_PORT}", f"app 10.0.0.3 {_JSON}"),
    ("ctl", "connections"): (
        f"--busy {_FILE}",
        f"--client 10.0.0.7 --limit 20 {_FILE}",
        f"--listener web --pool app {_JSON}",
    ),
    ("ctl", "exchanges"): (f"--failed {_FILE}", f"--route shop --pool app {_FILE}", f"4711-12 {_PORT}"),
    ("ctl", "events"): (_FILE, f"{_PORT} | grep upstream", _JSON),
    ("ctl", "end"): (f"4711-12 {_FILE}", f"4711-12.3 {_FILE}", f"4711-12 {_PORT}"),
    ("ctl", "questions"): _ALONE,
    ("ctl", "allow"): (f"3 {_FILE}", f"3 --for 1h {_FILE}", f"3 --for 1d {_PORT}"),
    ("ctl", "refuse"): (f"3 {_FILE}", f"3 --for 1h {_FILE}", f"3 --for 1d {_PORT}"),
    ("ctl", "answers"): _ALONE,
    ("ctl", "forget-answer"): (f"'ask: GET api.example' {_FILE}", f"ask-uploads {_FILE}", f"ask-uploads {_PORT}"),
    ("ctl", "limits"): (_FILE, f"logins {_FILE}", f"logins --key 10.0.0.7 {_JSON}"),
    ("ctl", "reset"): (f"logins {_FILE}", f"logins --key 10.0.0.7 {_FILE}", f"logins --key 10.0.0.7 {_PORT}"),
    ("ctl", "quotas"): (_FILE, f"--per user --limit 10 {_FILE}", f"--listener out --key bob {_JSON}"),
    ("ctl", "forget"): (f"bob --per user {_FILE}", f"10.0.0.7 --period day {_FILE}", f"--all --listener out {_PORT}"),
    ("ctl", "reload"): _ALONE,
    ("ctl", "log-level"): (_FILE, f"debug {_FILE}", f"info {_PORT}"),
    ("ctl", "revisions"): (_FILE, f"3 {_FILE}", f"3 {_JSON}"),
    ("ctl", "persist"): _ALONE,
    ("ctl", "apply"): (f"3 {_FILE}", f"2 {_PORT}", f"2 {_JSON}"),
    ("cache", "list"): (_FILE, f"http://shop.example/images/ --limit 20 {_FILE}", f"http://shop.example/ {_JSON}"),
    ("cache", "stats"): _ALONE,
    ("cache", "purge"): (
        f"http://shop.example/index.html {_FILE}",
        f"--prefix http://shop.example/images/ --soft {_FILE}",
        f"--tag product-17 --host shop.example {_PORT}",
    ),
    ("cache", "warm"): (
        f"http://shop.example/ {_FILE}",
        f"--from urls.txt -H 'Accept-Encoding: gzip' {_FILE}",
        f"http://shop.example/ --listener web {_PORT}",
    ),
}


def verb_examples_of(command: str, verb: str) -> str:
    """Those of a verb of a command, as its help ends with them; empty for one that has none."""
    lines = [f"  txproxy {command} {verb} {rest}\n" for rest in VERB_EXAMPLES.get((command, verb), ())]
    return "".join(["Examples:\n", *lines]) if lines else ""
