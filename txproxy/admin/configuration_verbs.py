"""``/api/reload``, ``/api/revisions``, ``/api/log``: which configuration runs, and how much is said of that."""

from __future__ import annotations

from datetime import datetime, timezone

from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.api_paths import Verb
from txproxy.admin.merging import BY_MASTER
from txproxy.admin.proxy_view import ProxyView
from txproxy.components.values import shown
from txproxy.config.configuration_file import Reloaded
from txproxy.config.revisions import Revision
from txproxy.observe.log_level import LEVELS

_BY = "admin API"


async def told_of(view: ProxyView, done: Reloaded) -> dict[str, object]:
    """What came of a configuration that was read, once it runs."""
    if done.faults:
        # RFC 9110 section 15.5.21: it can be read, and cannot be done.
        said = "it is wrong, and what runs is kept"
        raise ApiFault(422, said, findings=list(done.faults), warnings=list(done.warnings))
    await view.when_taken()
    return {
        "revision": view.file.revisions.current,
        "file": done.file or None,
        "warnings": list(done.warnings),
    }


class ConfigurationVerbs:
    """What may be done with the configuration of what ``view`` shows."""

    def __init__(self, view: ProxyView) -> None:
        self._view = view

    def verbs(self) -> list[Verb]:
        """All of it."""
        # The master reads it, and tells all workers.
        one = "/api/revisions/{revision}"
        return [
            Verb("POST", "/api/reload", self._reload, merge=BY_MASTER),
            Verb("GET", "/api/log", self._log, merge=BY_MASTER),
            Verb("PATCH", "/api/log", self._change_log, body=("level",), merge=BY_MASTER),
            Verb("GET", "/api/revisions", self._list, merge=BY_MASTER),
            Verb("GET", one, self._one, merge=BY_MASTER),
            Verb("POST", f"{one}/apply", self._apply, merge=BY_MASTER),
        ]

    def _log(self, call: ApiCall) -> dict[str, object]:
        threshold = self._view.threshold
        return {"level": threshold.level, "configured": threshold.configured}

    def _change_log(self, call: ApiCall) -> dict[str, object]:
        level, threshold = call.word("level", LEVELS), self._view.threshold
        if level is None:
            raise ApiFault(400, f"level: it is missing; accepted: {', '.join(LEVELS)}")
        if not threshold.used:
            raise ApiFault(409, "twistd's --logger and --syslog write all; accepted is a log of the proxy's own")
        threshold.set(level)
        return self._log(call)

    async def _reload(self, call: ApiCall) -> dict[str, object]:
        return await told_of(self._view, self._view.file.read_again(_BY))

    async def _apply(self, call: ApiCall) -> dict[str, object]:
        revision = self._revision(call)
        if not revision.text:
            raise ApiFault(409, "it was not read from a file; accepted is one that was")
        by = f"{_BY}, back to revision {revision.number}"
        return await told_of(self._view, self._view.file.go_back(revision, by))

    def _list(self, call: ApiCall) -> dict[str, object]:
        return {"revisions": [self._seen(one) for one in self._view.file.revisions]}

    def _one(self, call: ApiCall) -> dict[str, object]:
        revision = self._revision(call)
        return {**self._seen(revision), "diff": self._view.file.revisions.diff(revision.number)}

    def _seen(self, revision: Revision) -> dict[str, object]:
        return {
            "number": revision.number,
            "at": datetime.fromtimestamp(revision.at, timezone.utc).isoformat(timespec="seconds"),
            "by": revision.by,
            "runs": revision.number == self._view.file.revisions.current,
        }

    def _revision(self, call: ApiCall) -> Revision:
        name = call.names[0]
        found = (
            self._view.file.revisions.find(int(name)) if name.isascii() and name.isdigit() and len(name) < 10 else None
        )
        if found is None:
            known = ", ".join(str(one.number) for one in self._view.file.revisions)
            raise ApiFault(404, f"there is no revision {shown(name)}, or not any more; accepted: {known}")
        return found
