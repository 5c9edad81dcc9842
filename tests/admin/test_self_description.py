"""The description of the API has what the API has, and nothing else."""

import json
from importlib.resources import files

import pytest

from txproxy.admin.admin_server import verbs_of
from txproxy.admin.self_description import self_description

VERBS = list(verbs_of(None, None))
DESCRIBED = json.loads(files("txproxy.admin").joinpath("openapi.json").read_text())


def described(verb):
    return DESCRIBED["paths"][verb.path][verb.method.lower()]


def test_each_path_and_method_is_described_and_is_there():
    told = {(path, method.upper()) for path, methods in DESCRIBED["paths"].items() for method in methods}
    assert told == {(verb.path, verb.method) for verb in VERBS} and len(VERBS) > 7


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: f"{verb.method} {verb.path}")
def test_what_a_verb_takes_is_described(verb):
    entry = described(verb)
    assert tuple(one["name"] for one in entry.get("parameters", []) if one["in"] == "query") == verb.query
    assert (entry.get("security") == []) is verb.open
    assert entry["summary"] and "200" in entry["responses"] and "default" in entry["responses"]
    if verb.body is None:
        assert "requestBody" not in entry
    else:
        schema = entry["requestBody"]["content"]["application/json"]["schema"]
        assert tuple(schema["properties"]) == verb.body and schema["additionalProperties"] is False


def test_what_is_referred_to_is_there():
    def references(value):
        if isinstance(value, dict):
            for key, item in value.items():
                yield from [item] if key == "$ref" else references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    found = set(references(DESCRIBED))
    assert found
    for one in found:
        at = DESCRIBED
        for step in one.removeprefix("#/").split("/"):
            at = at[step]


def test_it_is_served_beside_a_list_of_all(serve):
    client = serve(VERBS)
    assert client.ask("GET", "/api/openapi.json").json == DESCRIBED
    answer = client.ask("GET", "/api/").json
    assert answer["openapi"] == "/api/openapi.json"
    assert answer["paths"] == {path: [one.upper() for one in methods] for path, methods in DESCRIBED["paths"].items()}
    assert self_description([])[0].path == "/api/"
