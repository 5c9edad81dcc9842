"""``txproxy import``: the configuration of another program, translated."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from txproxy.cli.arguments import wrong_call
from txproxy.errors import ConfigError
from txproxy.importers.recognition import KINDS, translate_file


def run(arguments: Sequence[str]) -> int:
    """Run it; gives the exit status."""
    words, kind = list(arguments), None
    if words[:1] == ["--from"]:
        kind = "".join(words[1:2])
        del words[:2]
        if kind not in KINDS:
            return wrong_call("import", f"--from: {kind!r} is no kind of file; accepted: {', '.join(KINDS)}")
    option = next((word for word in words if word.startswith("-")), None)
    if len(words) != 1 or option is not None:
        what = f"{option} is no option here" if option is not None else "one FILE is needed"
        usage = "accepted is txproxy import FILE, or txproxy import --from squid|nginx FILE"
        return wrong_call("import", f"{what}; {usage}")
    try:
        translation = translate_file(words[0], kind)
    except ConfigError as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    sys.stdout.write(translation.toml)
    sys.stdout.flush()
    for note in translation.notes:
        sys.stderr.write(f"{note}\n")
    return 0
