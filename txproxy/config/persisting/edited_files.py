"""Which files of a configuration have what is to be changed, and what they become."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from txproxy.config.model import Config
from txproxy.config.persisting.edits import Edits, edited
from txproxy.config.sources.outside_values import Expansion, Outside, is_file_value
from txproxy.config.sources.placed_findings import place_of
from txproxy.config.sources.toml_text import tables_of
from txproxy.errors import ConfigError, Path, written
from txproxy.upstreams.overlay import PoolEdits
from txproxy.upstreams.upstream_urls import ORDER_WORDS

_LEVEL: Final[Path] = ("log", "level")
_CALL: Final = re.compile(r"\$\{[^{}]*\}")


def edited_files(config: Config, edits: Edits, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The texts of those files of ``config`` that these ``edits`` change, by the names of the files, which are whole.
    ``ConfigError`` where a value to be changed stands elsewhere, or there is no one file that has it.
    """
    by_file: dict[str, Edits] = {}
    for pool in edits.pools:
        if pool.changed or pool.removed or pool.added:
            file = _file_of_pool(config, pool, environ)
            before = by_file.get(file, Edits())
            by_file[file] = attrs.evolve(before, pools=(*before.pools, pool))
    if edits.level is not None:
        if _LEVEL in config.outside.references:
            raise _elsewhere(config, _LEVEL)
        file = place_of(_LEVEL, config.places).file
        by_file[file] = attrs.evolve(by_file.get(file, Edits()), level=edits.level)
    return {file: edited(_text_of(config, file), one) for file, one in by_file.items()}


def _text_of(config: Config, file: str) -> str:
    return config.text if file == config.source else config.included.texts[file]


def _file_of_pool(config: Config, edits: PoolEdits, environ: Mapping[str, str]) -> str:
    path: Path = ("pools", edits.pool, "upstreams")
    files = {place.file for one, place in config.places.items() if one[:3] == path}
    if len(files) > 1:
        said = f"pool {edits.pool}: its upstreams are in several files, {', '.join(sorted(files))}"
        raise ConfigError(said, "accepted is to change them by hand")
    file = files.pop()
    if path in config.outside.references:
        raise _elsewhere(config, path)
    given = tables_of(_text_of(config, file), file)["pools"][edits.pool]["upstreams"]
    for one in edits.changed:
        value = given[one.place] if isinstance(given, list) else given
        at = (*path, one.place) if isinstance(given, list) else path
        keys: tuple[str, ...] = ("weight",) if one.weight is not None else ()
        keys = (*keys, *ORDER_WORDS.values()) if one.order is not None else keys
        stands = is_file_value(value) or _has_parameters(value, environ)
        if stands or any((*at, key) in config.outside.references for key in keys):
            raise _elsewhere(config, at)
    return file


def _has_parameters(value: Any, environ: Mapping[str, str]) -> bool:
    """Whether parameters of an upstream may stand in what it refers to."""
    text = value if isinstance(value, str) else value.get("url")
    if is_file_value(text):
        return True
    if not isinstance(text, str):
        return False
    if _CALL.search(text.partition(";")[2]) or any(";" in call for call in _CALL.findall(text)):
        return True
    found: str = Expansion(environ, Outside()).expanded(text)
    return found.count(";") != text.count(";")


def _elsewhere(config: Config, path: Path) -> ConfigError:
    reference = next((one for at, one in config.outside.references.items() if at[: len(path)] == path), "")
    said = f"{place_of(path, config.places)}: {written(path)}: it stands elsewhere, as {reference} says"
    return ConfigError(said, "accepted is to change it there")
