"""What the importer makes of a few lines, as what our own reader makes of that."""

from types import SimpleNamespace

import tomllib

from txproxy.config import parse
from txproxy.importers.nginx.locations.header_lines import PASSES_UPGRADES
from txproxy.importers.nginx.nginx_translation import translate


def imported(lines, path="/etc/nginx/nginx.conf", checked=True):
    """``lines`` stand in ``http``. Gives ``tables`` of the TOML, and ``notes`` without the place of the file."""
    translation = translate(f"events {{}}\nhttp {{\n{lines}\n}}\n", path)
    if checked:
        parse(translation.toml, "proxy.toml")
    tables = tomllib.loads(translation.toml)
    notes = [
        note.removeprefix(path).lstrip(":0123456789").strip()
        for note in translation.notes
        if not note.endswith(PASSES_UPGRADES)
    ]
    return SimpleNamespace(
        tables=tables,
        notes=notes,
        routes=tables.get("routes", []),
        pools=tables.get("pools", {}),
        listeners=tables["listeners"],
        limits=tables.get("request_limits", []),
    )


def server(lines, more=""):
    """``lines`` in a server; ``more`` beside it."""
    return imported(f"{more}\nserver {{ listen 8080; server_name a.example;\n{lines}\n}}")


def location(lines, place="/", more=""):
    """``lines`` in a location; gives the whole, and its routes alone."""
    found = server(f"location {place} {{ {lines} }}", more)
    return found, [route for route in found.routes if route["name"].startswith(f"a.example {place}")]


def route(lines, place="/", more=""):
    """The only route of a location."""
    _, (one,) = location(lines, place, more)
    return {key: said for key, said in one.items() if key not in ("name", "listeners", "path")}
