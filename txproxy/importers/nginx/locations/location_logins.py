"""``auth_basic`` and ``auth_request``: who may have what a location has."""

from __future__ import annotations

from typing import Any, Final

from txproxy.importers.nginx.locations.location_order import Location
from txproxy.importers.nginx.locations.route_conditions import Table
from txproxy.importers.nginx.locations.to_upstreams import asked_at
from txproxy.importers.nginx.nginx_sites import Site
from txproxy.importers.nginx.syntax.nginx_scopes import Scope
from txproxy.importers.notes import Untranslatable

# Other ways of saying who may have something.
GUARDS: Final = (
    "auth_jwt", "auth_digest", "auth_ldap", "auth_pam", "auth_gss", "access_by_lua_block", "access_by_lua_file",
    "access_by_lua", "js_access", "secure_link", "auth_oidc",
)  # fmt: skip
_UPSTREAM_FIELD: Final = "$upstream_http_"


def login_of(scope: Scope, site: Site) -> Table:
    """``login`` or ``auth`` of a route; ``Untranslatable`` where nobody could be asked: then nobody is to get it."""
    for one in (directive for name in GUARDS for directive in scope.all(name)):
        if one.first != "off":
            raise Untranslatable(f"{one.name} lets some pass, and nobody is asked here whom")
    found: Table = {}
    realm = scope.word("auth_basic", "off")
    if realm != "off":
        found["login"] = _basic(scope, realm)
    place = scope.word("auth_request", "off")
    if place != "off":
        found["auth"] = _request(scope, site, place)
    return found


def _basic(scope: Scope, realm: str) -> Table:
    file = scope.file("auth_basic_user_file")
    if not file or "$" in file + realm:
        raise Untranslatable("auth_basic has no file of users that is known before a request comes")
    # nginx sends on what the client has sent.
    return {"password_file": file, "realm": realm, "pass_credentials": True}


def _request(scope: Scope, site: Site, place: str) -> Table:
    location = _found(site, place)
    if location is None:
        raise Untranslatable(f"auth_request leads to {place}, and no location is for that alone")
    pool, path = asked_at(location, site, place)
    found: Table = {"pool": pool, "path": path}
    copied = _copied(scope, site)
    return found | ({"copy": copied} if copied else {})


def _found(site: Site, place: str) -> Location | None:
    """The location of a path, where no expression could be for it."""
    fitting = [one for one in site.locations if not one.is_expression and one.text == place]
    return fitting[0] if fitting else None


def _copied(scope: Scope, site: Site) -> list[str]:
    """Which fields of the answer go into the request, by ``auth_request_set`` and ``proxy_set_header``."""
    answered: dict[str, str] = {}
    for one in scope.all("auth_request_set"):
        variable, value = (*one.words, "", "")[:2]
        if value.startswith(_UPSTREAM_FIELD):
            answered[variable] = value.removeprefix(_UPSTREAM_FIELD).replace("_", "-")
        else:
            site.notes.say(one, f"{value or 'nothing'} is not copied: fields of the answer are")
    found: list[str] = []
    for one in scope.all("proxy_set_header"):
        name, value = (*one.words, "", "")[:2]
        field = answered.get(value)
        if field is not None and field.lower() == name.lower():
            found.append(name)
    return found


def copied_fields(table: Table) -> Any:
    """The names of the fields that ``auth`` of a route copies, in lower case."""
    return {name.lower() for name in table.get("auth", {}).get("copy", ())}
