"""``/api/persist``: what was changed while it ran goes into the file that says what runs."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from twisted.logger import Logger

from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.api_paths import Verb
from txproxy.admin.configuration_verbs import told_of
from txproxy.admin.merging import Answers, Asked, Merge, sound
from txproxy.admin.proxy_view import ProxyView
from txproxy.config.persisting.edited_files import edited_files
from txproxy.config.persisting.edits import Edits, NotInstalled
from txproxy.errors import ConfigError
from txproxy.upstreams.overlay import PoolEdits

_log = Logger()
_BY: Final = "admin API, what was changed"


def persist_verb(view: ProxyView) -> Verb:
    """It. Who carries traffic says what was changed, and who has read the file writes it."""

    def changed(call: ApiCall) -> list[PoolEdits]:
        return [overlay.edits() for overlay in view.overlays.values()]

    merge = Merge(Asked.ALL, _all_alike)
    return Verb("POST", "/api/persist", changed, merge=merge, show=partial(_persist, view))


def _all_alike(call: ApiCall, answers: Answers) -> list[PoolEdits]:
    first, *others = sound(answers).values()
    if any(other != first for other in others):
        raise ApiFault(409, "the workers are not alike; accepted is a change that all of them have made")
    found: list[PoolEdits] = first
    return found


async def _persist(view: ProxyView, call: ApiCall, changed: Any) -> dict[str, object]:
    if not view.file.path:
        accepted = "accepted is one that was started with txproxy run --config FILE"
        raise ApiFault(409, f"options say what runs, and no file that could be written; {accepted}")
    threshold = view.threshold
    level = threshold.level if threshold.used and threshold.level != threshold.configured else None
    edits = Edits(tuple(changed), level)
    said = list(edits.told())
    try:
        done = view.file.rewrite(lambda running: edited_files(running, edits), _BY)
    except NotInstalled:
        why = "tomlkit is not installed, which keeps comments and layout of the file"
        raise ApiFault(501, f"{why}; accepted is it with pip install 'txproxy[admin]'") from None
    except ConfigError as fault:
        raise ApiFault(409, str(fault)) from None
    answer = {**await told_of(view, done), "changes": said, "left": list(edits.left)}
    for one in said:
        _log.info("{said}", said=f"admin API: {view.file.path}: {one}")
    return answer
