"""``txproxy ctl events``: what changes in a running proxy, a line each, as long as somebody watches."""

from __future__ import annotations

import json
import signal
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import Any, Final

from txproxy.cli.admin_client import AdminClient
from txproxy.cli.printing import printable


def print_events(client: AdminClient, given: Namespace) -> int:
    """Print them until Ctrl-C; gives the exit status."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        # That is the end here, and no fault.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        for kind, told in client.events("/api/events?status=0"):
            if given.json:
                print(json.dumps({"event": kind, **told}), flush=True)
            else:
                print(time.strftime("%H:%M:%S"), event_line(kind, told), flush=True)
    except KeyboardInterrupt:
        pass
    return 0


def event_line(kind: str, told: Mapping[str, Any]) -> str:
    """One event for people."""
    say = _SAID.get(kind)
    return printable(say(told) if say is not None else f"{kind}: {json.dumps(told)}")


def _of_upstream(told: Mapping[str, Any]) -> str:
    now = told["state"]
    state = "has come" if told["was"] is None else f"is {now}" if now is not None else "has gone"
    cause = f": {told['cause']}" if told["cause"] and now is not None else ""
    return f"{told['pool']}: {told['upstream']} {state}{cause}"


def _of_question(told: Mapping[str, Any]) -> str:
    reason = f": {told['reason']}" if told["reason"] else ""
    return f"question {told['id']} of {told['client']}: {told['method']} {told['url']} ({told['rule']}{reason})"


def _of_failure(told: Mapping[str, Any]) -> str:
    request = " ".join(part for part in (told["method"], told["url"]) if part)
    why = ": ".join(part for part in (told["outcome"], told["detail"]) if part)
    return f"{told['listener']}: {told['client']}: {request}: {told['status'] or 'no status'}, {why}"


_SAID: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "stage": lambda told: f"it is {told['stage']}",
    "reload": lambda told: f"revision {told['revision']} runs",
    "upstream": _of_upstream,
    "weight": lambda told: f"{told['pool']}: {told['upstream']} has weight {told['weight']}, and had {told['was']}",
    "question": _of_question,
    "question-over": lambda told: f"question {told['id']} waits no more",
    "failure": _of_failure,
    "fault": lambda told: told["error"],
    "missed": lambda told: f"{told['events']} events are left out: this reads too slowly",
}
