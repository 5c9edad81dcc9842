"""A configuration file: TOML, read whole, with all that is wrong in it found at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import attrs

from txproxy.components.own_modules import read_modules, take_changes, use_path
from txproxy.components.settings import default_of
from txproxy.components.values import flag, one_of, size, text, texts
from txproxy.config.admin_endpoint import AdminConfig
from txproxy.config.findings import Findings
from txproxy.config.log_lines import DEFAULT_LINES, LOG_LEVELS, parse_log_lines
from txproxy.config.log_tables import read_access_log, read_log_place, see_log_listeners
from txproxy.config.model import Config, ReverseListener
from txproxy.config.sources.included import Included, read_sources
from txproxy.config.sources.placed_findings import in_file
from txproxy.config.sources.toml_text import text_of
from txproxy.config.toml.admin_table import read_admin, see_admin
from txproxy.config.toml.bounds import read_bounds
from txproxy.config.toml.cache_tables import read_cache
from txproxy.config.toml.effects import see_bounds, see_cache, see_questions
from txproxy.config.toml.limit_tables import LimitTables
from txproxy.config.toml.listeners import Defaults, read_limits, read_listener, read_via
from txproxy.config.toml.pool_tables import read_pool
from txproxy.config.toml.references import Parts, tie
from txproxy.config.toml.routing.route_tables import read_challenge_settings, read_route
from txproxy.config.toml.tables import Table
from txproxy.config.tracing import read_tracing
from txproxy.config.worker_count import check_workers, workers
from txproxy.errors import ConfigError
from txproxy.observe.log_level import DEFAULT_LEVEL
from txproxy.observe.refused_lines import MOST
from txproxy.proxy.limits import Limits

_VIA: Final = default_of(ReverseListener, "via")


def load(file: str, findings: Findings | None = None) -> Config:
    """The configuration in ``file``. ``ConfigError`` with a line for each fault, ``FILE:LINE: KEY: what is wrong``."""
    return parse(text_of(file), file, findings)


def load_admin(file: str) -> AdminConfig | None:
    """Where the admin API is by what ``file`` says, whatever else may be wrong with that."""
    findings = Findings()
    piece, _ = read_sources(text_of(file), file, os.environ, only=("include", "admin"))
    findings.begin(piece)
    found = read_admin(Table(piece.data, (), "", findings, _folder_of(file)))
    if findings.faults:
        raise ConfigError(in_file(findings.faults, piece.places))
    return found


def parse(
    content: str,
    file: str,
    findings: Findings | None = None,
    included: Included | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """The configuration that a text is, which is what ``file`` holds. Files that it includes are read, unless what was
    in them is given (``included``).
    """
    findings = findings or Findings()
    piece, included = read_sources(content, file, environ, included, seen=findings.named)
    findings.begin(piece)
    config = _read(piece.data, file, findings)
    if findings.faults:
        raise ConfigError(in_file(findings.faults, piece.places))
    config = attrs.evolve(
        config,
        text=content.replace("\r\n", "\n"),
        included=included,
        places=piece.places,
        outside=piece.outside,
        named=tuple({**findings.named, **piece.outside.files}),
        warnings=tuple(map(str, in_file(findings.doubts, piece.places))),
    )
    config.opened.extend(findings.opened)
    return config


def _folder_of(file: str) -> str:
    return os.path.dirname(os.path.abspath(file))


def _read(data: dict[str, Any], file: str, findings: Findings) -> Config:
    table = Table(data, (), "", findings, _folder_of(file))
    # What it includes is here by now: see txproxy.config.sources.included.
    table.all("include", text)
    python_path, reload_code = _read_path(table)
    access_log, access_log_format, access_refused, log_level = _read_log(table)
    access_logs = tuple(map(read_access_log, table.tables("access_logs")))
    request_limits = LimitTables(table)
    defaults = Defaults(read_limits(table.table("limits"), Limits()), read_via(table, _VIA), request_limits)
    pools = {name: read_pool(name, inner) for name, inner in table.named("pools").items()}
    routes = [read_route(inner, request_limits) for inner in table.tables("routes")]
    tables = table.tables("listeners")
    listeners = [read_listener(inner, number, defaults) for number, inner in enumerate(tables)]
    if "listeners" not in table or data["listeners"] == []:
        table.fault("there are no listeners", accepted="accepted is [[listeners]] for one or more")
    bounds = read_bounds(table, defaults.limits.ipv6_prefix)
    cache = read_cache(table)
    admin = read_admin(table)
    tracing = read_tracing(table)
    challenge = read_challenge_settings(table.table("challenge"))
    count = table.read("workers", workers, 1)
    table.close()
    # What ties them says where by their places, which are others than those in the file where one is no table.
    tied = tie(Parts(pools, routes, listeners), findings) if _are_tables(data) else list(listeners)
    see_log_listeners(access_logs, tied, findings)
    config = Config(
        listeners=tuple(request_limits.everywhere(tied)),
        pools=tuple(pools.values()),
        routes=tuple(routes),
        access_log=None if access_log == "none" else access_log,
        access_log_format=access_log_format,
        log_level=log_level,
        access_logs=access_logs,
        access_refused=access_refused,
        bounds=bounds,
        cache=cache,
        admin=admin,
        tracing=tracing,
        challenge=challenge,
        python_path=python_path,
        reload_code=reload_code,
        own_modules=read_modules() if python_path else (),
        workers=count,
        source=file,
    )
    if not findings.faults:
        _see(config, table, findings)
    return config


def _read_path(table: Table) -> tuple[tuple[str, ...], bool]:
    """Where modules are, and whether they are to be read again. What others name may be there from now on."""
    folders = table.all("python_path", lambda value: _folder(table, value)) or ()
    reload_code = table.read("reload_code", flag, False)
    use_path(folders)
    if reload_code:
        table.findings.generation = take_changes()
    return folders, reload_code


def _see(config: Config, table: Table, findings: Findings) -> None:
    """What is wrong, or doubtful, with parts that are right by themselves."""
    listeners = config.listeners
    try:
        check_workers(config.workers, config.bounds, listeners)
    except ConfigError as fault:
        table.faults_of(fault, "workers")
    see_bounds(config.bounds, listeners, findings)
    see_cache(config.cache, config.routes, listeners, findings)
    see_admin(config.admin, listeners, findings)
    if config.admin is None:
        see_questions(listeners, findings)


def _read_log(table: Table) -> tuple[str, Any, int, str]:
    """Where access lines go, and how they are written; and how much the proxy says of itself."""
    place, form, refused, level = "-", DEFAULT_LINES, MOST, DEFAULT_LEVEL
    log = table.table("log")
    if log is not None:
        place = log.read("access", partial(read_log_place, log), place)
        form = log.read("access_format", texts(parse_log_lines), form)
        refused = log.read("access_refused", size, refused)
        level = log.read("level", one_of(LOG_LEVELS), level)
        log.close()
    return place, form, refused, level


def _are_tables(data: dict[str, Any]) -> bool:
    lists = [data.get(key) for key in ("routes", "listeners")]
    return all(isinstance(entry, dict) for one in lists if isinstance(one, list) for entry in one)


def _folder(table: Table, value: object) -> str:
    folder = os.path.normpath(table.file_name(value))
    if not os.path.isdir(folder):
        raise ConfigError(f"{folder}: there is no such folder", "accepted is one that is there")
    return folder
