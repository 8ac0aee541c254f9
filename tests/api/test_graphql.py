"""GraphQL with a real client: values, pages, relations, mutations, limits, rights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.inside import MODELS, PUMP, Inside, inside

gql = pytest.importorskip("gql", reason="the extra graphql is not installed")

from gql.transport.exceptions import TransportQueryError  # noqa: E402
from gql.transport.httpx import HTTPXTransport  # noqa: E402

from gemel.api.graphql import OWN_TYPE, prefers_own  # noqa: E402

LINE = "dtmi:test:Line;1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("graphql")) as found:
        pump = {"model": PUMP, "name": "P", "properties": {"target": 5.0}}
        twins: dict[str, Any] = {f"p-{n}": pump for n in range(1, 4)}
        twins["line"] = {"model": LINE, "contains": ["p-1", "p-2", "p-3"]}
        found.ask("POST", "/plant", {"models": MODELS, "twins": twins})
        found.ingest("p-1", flow=3.5, running=True, bearing={"temperature": 41.0})
        found.ingest("p-2", flow=1.5)
        yield found


def client(server: Inside, role: str = "admin", name: str = "") -> Any:
    headers = {"Authorization": f"Bearer {server.token(role, name=name)}"}
    transport = HTTPXTransport(f"{server.url}/graphql", headers=headers, trust_env=False)
    return gql.Client(transport=transport)


def ask(server: Inside, query: str, role: str = "admin", **variables: Any) -> Any:
    request = gql.gql(query)
    request.variable_values = variables
    return client(server, role).execute(request)


def problem(server: Inside, query: str, role: str = "admin") -> dict[str, Any]:
    with pytest.raises(TransportQueryError) as caught:
        client(server, role).execute(gql.gql(query))
    assert caught.value.errors
    found: dict[str, Any] = caught.value.errors[0]
    return found


def test_values_have_time_quality_and_history(server: Inside) -> None:
    found = ask(
        server,
        """query Q($id: ID!) { twin(id: $id) { id model ... on Pump {
        flow { value time quality history(from: "-1h", pixels: 10) { time value } }
        running { value } mode { value } target { value quality }
        bearing { temperature { value } } temperature { unit } } } }""",
        id="p-1",
    )["twin"]
    assert found["flow"]["value"] == 3.5
    assert found["flow"]["quality"] == "good"
    assert found["flow"]["time"].endswith("Z")
    assert found["flow"]["history"]["value"] == [3.5]
    assert found["running"] == {"value": True}
    assert found["mode"] is None
    assert found["target"] == {"value": 5.0, "quality": "good"}
    assert found["bearing"]["temperature"]["value"] == 41.0


def test_pages_filters_and_relationships_both_ways(server: Inside) -> None:
    query = """query Q($after: String) { twins(model: "dtmi:test:Pump;1", first: 2, after: $after,
        where: "STARTSWITH(T.$dtId, 'p-')",
        orderBy: "T.$dtId DESC") { cursor items { id incoming { name source { id } } } } }"""
    first = ask(server, query, after=None)["twins"]
    assert [t["id"] for t in first["items"]] == ["p-3", "p-2"]
    assert first["items"][0]["incoming"] == [{"name": "contains", "source": {"id": "line"}}]
    then = ask(server, query, after=first["cursor"])["twins"]
    assert [t["id"] for t in then["items"]] == ["p-1"]
    assert then["cursor"] is None
    server.ingest("p-2", flow=1.5)
    wet = ask(server, '{ twins(where: "T.flow > 3") { items { id } } }')["twins"]["items"]
    assert wet == [{"id": "p-1"}]
    line = ask(server, '{ twin(id: "line") { relationships(first: 2) { target { id } } } }')
    assert len(line["twin"]["relationships"]) == 2


def test_mutations_have_the_errors_of_rest(server: Inside) -> None:
    patch = """mutation { patchTwin(id: "p-3", patch: [{op: "replace", path: "/target", value: 8}])
        { ... on Pump { target { value } } } }"""
    assert ask(server, patch)["patchTwin"]["target"]["value"] == 8
    assert problem(server, patch, "viewer")["extensions"]["code"] == "Forbidden"
    wrong = patch.replace("value: 8", 'value: "x"')
    assert problem(server, wrong)["extensions"]["code"] == "ValidationFailed"
    missing = problem(server, '{ twin(id: "none") { id } }')
    assert missing["extensions"]["code"] == "DigitalTwinNotFound"
    sent = ask(server, 'mutation { sendCommand(twin: "p-1", command: "stop") }')["sendCommand"]
    assert sent["twin"] == "p-1"
    put = """mutation { putRelationship(source: "p-1", id: "f", name: "feeds", target: "p-2")
        { name target { id } } }"""
    assert ask(server, put)["putRelationship"]["target"]["id"] == "p-2"
    assert ask(server, 'mutation { deleteRelationship(source: "p-1", id: "f") }')


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("{ twins(first: 501) { items { id } } }", "first: 501"),
        ("{ twins(first: 500) { items { relationships { target { id name } } } } }", "costs more"),
        ("{" + " ".join(f'a{n}: twin(id: "p-1") {{ id }}' for n in range(31)) + "}", "30 aliases"),
        (
            "{ twin(id: 1) "
            + "{ relationships(first: 1) { target " * 4
            + "{ id }"
            + " } }" * 4
            + " }",
            "deeper than 8",
        ),
        ("{ nothing }", "Cannot query field"),
        ("{", "Syntax Error"),
    ],
)
def test_limits_are_said_before_anything_is_done(server: Inside, query: str, words: str) -> None:
    for kind, status in (("application/json", 200), (OWN_TYPE, 200 if "501" in query else 400)):
        answer = server.http.post("/graphql", json={"query": query}, headers={"accept": kind})
        assert words in answer.json()["errors"][0]["message"]
        assert answer.status_code == status
        assert answer.headers["content-type"] == kind


@pytest.mark.parametrize(
    ("accept", "is_own"),
    [
        ("", False),
        ("*/*", False),
        (OWN_TYPE, True),
        (f"{OWN_TYPE}, application/json;q=0.9", True),
        (f"application/json, {OWN_TYPE}; q=0.5", False),
        (f"{OWN_TYPE};q=0", False),
        (f"{OWN_TYPE};q=high", False),
    ],
)
def test_accept_chooses_the_media_type(accept: str, is_own: bool) -> None:
    assert prefers_own(accept) == is_own


def test_a_wrong_variable_is_no_data(server: Inside) -> None:
    query = "query Q($id: ID!) { twin(id: $id) { id } }"
    headers = {"accept": OWN_TYPE}
    for variables, status in (({}, 400), ({"id": "p-1"}, 200), ({"id": "none"}, 200)):
        body = {"query": query, "variables": variables}
        answer = server.http.post("/graphql", json=body, headers=headers)
        assert answer.status_code == status
        assert ("data" in answer.json()) == (status == 200)


def test_several_operations_in_an_array_are_refused(server: Inside) -> None:
    assert server.http.post("/graphql", json=[{"query": "{ __typename }"}]).status_code == 400


def test_introspection_needs_a_token(server: Inside) -> None:
    query = {"query": "{ __schema { types { name } } }"}
    with server.client() as nobody:
        assert nobody.post("/graphql", json=query).status_code == 401
    types = server.http.post("/graphql", json=query).json()["data"]["__schema"]["types"]
    assert {"Pump", "Line", "Twin", "FloatValue"} <= {one["name"] for one in types}


def test_long_and_decimal_numbers_are_read_whole(server: Inside) -> None:
    fields = [{"@type": "Property", "name": n, "schema": n} for n in ("long", "decimal")]
    model = {"@type": "Interface", "@context": "dtmi:dtdl:context;4", "contents": fields}
    server.ask("POST", "/models", [{"@id": "dtmi:test:Meter;1", **model}])
    exact = {"long": 9_007_199_254_740_993, "decimal": "0.10000000000000000001"}
    server.ask("PUT", "/digitaltwins/m", {"$metadata": {"$model": "dtmi:test:Meter;1"}, **exact})
    query = '{ twin(id: "m") { ... on Meter { long { value } decimal { value } } } }'
    assert ask(server, query)["twin"] == {name: {"value": exact[name]} for name in exact}
    server.ask("DELETE", "/digitaltwins/m")
    server.ask("DELETE", "/models/dtmi:test:Meter;1")


def test_a_twin_whose_model_was_deleted_hides_no_others(server: Inside) -> None:
    head = {"@type": "Interface", "@context": "dtmi:dtdl:context;3"}
    server.ask("POST", "/models", [{"@id": "dtmi:test:Gone;1", **head}])
    server.ask("PUT", "/digitaltwins/orphan", {"$metadata": {"$model": "dtmi:test:Gone;1"}})
    server.ask("DELETE", "/models/dtmi:test:Gone;1")
    query = """{ twins(first: 100) { items { id model __typename
        ... on Pump { flow { value } } } } }"""
    found = {one["id"]: one for one in ask(server, query)["twins"]["items"]}
    assert found["orphan"]["model"] == "dtmi:test:Gone;1"
    assert found["orphan"]["__typename"] == "TwinWithoutModel"
    assert found["p-1"]["__typename"] == "Pump"
    server.ask("DELETE", "/digitaltwins/orphan")


def test_models_whose_names_are_alike_have_types_of_their_own(server: Inside) -> None:
    def interface(name: str, *contents: dict[str, str]) -> dict[str, Any]:
        head = {"@type": "Interface", "@context": "dtmi:dtdl:context;3"}
        return {"@id": f"dtmi:{name};1", **head, "contents": list(contents)}

    part = {"@type": "Component", "name": "zeta", "schema": "dtmi:z:Zeta;1"}
    names = ["z:Zeta", "z:Zeta_part", "z:Long", "y:C", "z:b:C", "a:z_b_C_1", "a:Z_b_C_1"]
    made = [*map(interface, names), interface("z:User", part)]
    server.ask("POST", "/models", made)
    types = ask(server, "{ __schema { types { name description } } }")["__schema"]["types"]
    told = "".join(one["description"] or "" for one in types)
    assert all(f"({one['@id']})" in told for one in made)
    assert len({one["name"] for one in types}) == len(types)
    for one in reversed(made):
        server.ask("DELETE", f"/models/{one['@id']}")


def test_the_schema_follows_the_models(server: Inside) -> None:
    model = {**MODELS[2], "@id": "dtmi:test:Hall;1"}
    server.ask("POST", "/models", [model])
    assert ask(server, '{ __type(name: "Hall") { name } }')["__type"] == {"name": "Hall"}
    server.ask("DELETE", "/models/dtmi:test:Hall;1")
    assert ask(server, '{ __type(name: "Hall") { name } }')["__type"] is None


def test_policies_hide_what_they_hide_over_rest(server: Inside) -> None:
    policy = {"who": {"names": ["eva"]}, "twins": ["p-*"], "properties": ["target"]}
    server.ask("PUT", "/policies/eva", policy)
    eva = client(server, "engineer", "eva")
    query = """{ twins(first: 10) { items { id ... on Pump { flow { value } target { value } }
        incoming { name } } } }"""
    items = eva.execute(gql.gql(query))["twins"]["items"]
    assert [one["id"] for one in items] == ["p-1", "p-2", "p-3"]
    assert all(one["flow"] is None and one["target"] and not one["incoming"] for one in items)
    with pytest.raises(TransportQueryError, match="no twin 'line'"):
        eva.execute(gql.gql('{ twin(id: "line") { id } }'))
    name = [{"op": "replace", "path": "/name", "value": "x"}]
    change = gql.gql('mutation M($p: [JSON!]!) { patchTwin(id: "p-1", patch: $p) { id } }')
    change.variable_values = {"p": name}
    with pytest.raises(TransportQueryError, match="policies do not let you write"):
        eva.execute(change)
    server.ask("DELETE", "/policies/eva")


def test_any_moment_can_be_asked_for(server: Inside) -> None:
    put = """mutation { putRelationship(source: "past", id: "f", name: "feeds", target: "p-2")
        { id } }"""
    query = """query Q($then: String) { twin(id: "past", asOf: $then) {
        relationships { target { id ... on Pump { flow { value } } } }
        ... on Pump { target { value } flow { value } } } }"""
    page = """query Q($then: String) { twins(where: "T.$dtId = 'past'", asOf: $then) {
        items { ... on Pump { flow { value } } } } }"""
    pump = {"model": PUMP, "name": "P", "properties": {"target": 1.0}}
    server.ask("POST", "/plant", {"models": MODELS, "twins": {"past": pump}})
    server.ingest("past", flow=1.0)
    ask(server, put)
    flow = ask(server, '{ twin(id: "p-2") { ... on Pump { flow { value } } } }')["twin"]["flow"]
    then = server.ask("GET", "/status")["time"]
    server.ingest("past", flow=2.0)
    server.ingest("p-2", flow=9.0)
    server.ask("DELETE", "/digitaltwins/past/relationships/f")
    patch = [{"op": "replace", "path": "/target", "value": 8}]
    server.ask("PATCH", "/digitaltwins/past", patch)
    was, now = (ask(server, query, then=time)["twin"] for time in (then, None))
    assert (was["flow"]["value"], was["target"]["value"]) == (1.0, 1.0)
    assert was["relationships"] == [{"target": {"id": "p-2", "flow": flow}}]
    assert (now["flow"]["value"], now["target"]["value"]) == (2.0, 8.0)
    assert now["relationships"] == []
    assert ask(server, page, then=then)["twins"]["items"] == [{"flow": {"value": 1.0}}]
    assert ask(server, f'{{ alarms(asOf: "{then}") }}')["alarms"] == []
    for wrong, words in [
        ('{ twin(id: "past", asOf: "+1h") { id } }', "lies ahead"),
        ('{ twin(id: "past", asOf: "-30d") { id } }', "no twin 'past'"),
        (f'{{ twin(id: "past", asOf: "{then}") {{ alarms }} }}', "does not tell its alarms"),
    ]:
        assert words in problem(server, wrong)["message"]
