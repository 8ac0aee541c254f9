"""Queries over HTTP: the form of answers, pages, errors, and no lag after a write."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.inside import MODELS, PUMP, Inside, inside
from gemel.cli.main import main


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("query") / "data") as found:
        found.ask("POST", "/models", MODELS)
        for number in range(5):
            body = {"$metadata": {"$model": PUMP}, "name": f"Pump {number}", "target": number * 1.5}
            found.ask("PUT", f"/digitaltwins/pump-{number}", {**body, "bearing": {"$metadata": {}}})
        for number in range(4):
            relation = {"$relationshipName": "feeds", "$targetId": f"pump-{number + 1}"}
            found.ask("PUT", f"/digitaltwins/pump-{number}/relationships/r{number}", relation)
        yield found


def rows(server: Inside, text: str) -> list[dict]:
    found: list[dict] = server.ask("POST", "/query", {"query": text})["value"]
    return found


def test_answer_has_value_token_and_charge(server: Inside) -> None:
    answer = server.http.post("/query", json={"query": "SELECT * FROM digitaltwins"})
    assert answer.status_code == 200
    assert answer.json()["continuationToken"] is None
    assert [twin["$dtId"] for twin in answer.json()["value"]] == [f"pump-{n}" for n in range(5)]
    assert float(answer.headers["query-charge"]) >= 1


def test_pages_follow_the_token_alone(server: Inside) -> None:
    body = {"query": "SELECT T.$dtId FROM DIGITALTWINS T ORDER BY T.target DESC"}
    found = []
    while True:
        answer = server.http.post("/query", json=body, headers={"max-items-per-page": "2"}).json()
        found += [row["$dtId"] for row in answer["value"]]
        if answer["continuationToken"] is None:
            break
        body = {"continuationToken": answer["continuationToken"]}
    assert found == [f"pump-{n}" for n in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"query": "foo"}, "SqlQueryError"),
        ({"query": 5}, "InvalidArgument"),
        ({}, "InvalidArgument"),
        ([], "InvalidArgument"),
        ({"continuationToken": "none"}, "BadRequest"),
    ],
)
def test_bad_requests_are_named(server: Inside, body: object, code: str) -> None:
    answer = server.http.post("/query", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert answer.headers["x-ms-error-code"] == code


def test_parse_error_shows_the_place(server: Inside) -> None:
    error = server.http.post("/query", json={"query": "SELECT * FORM x"}).json()["error"]
    assert error["message"].startswith("SQL query parse failed: line 1, column 10: 'FORM'")
    assert "^" in error["message"]
    assert error["hint"] == "expected FROM"


def test_writes_show_at_once(server: Inside) -> None:
    text = "SELECT T.name FROM DIGITALTWINS T WHERE T.target > 1000"
    assert rows(server, text) == []
    patch = [{"op": "replace", "path": "/target", "value": 2000.0}]
    server.ask("PATCH", "/digitaltwins/pump-0", patch)
    assert rows(server, text) == [{"name": "Pump 0"}]
    server.ask("PATCH", "/digitaltwins/pump-0", [{**patch[0], "value": 0.0}])
    assert rows(server, text) == []


def test_telemetry_shows_at_once(server: Inside) -> None:
    server.ingest("pump-3", temperature=81.5, running=True, mode="hand")
    text = (
        "SELECT T.$dtId, T.temperature, T.mode, QUALITY(T.temperature) FROM DIGITALTWINS T "
        "WHERE T.temperature > 80 AND T.running = true AND T.mode = 'hand'"
    )
    row = {"$dtId": "pump-3", "temperature": 81.5, "mode": "hand", "QUALITY": "good"}
    assert rows(server, text) == [row]


def test_match_over_http(server: Inside) -> None:
    text = "SELECT B.$dtId FROM DIGITALTWINS MATCH (A)-[:feeds*1..3]->(B) WHERE A.$dtId = 'pump-0'"
    assert rows(server, text) == [{"$dtId": "pump-2"}, {"$dtId": "pump-3"}]


def test_query_needs_a_token(server: Inside) -> None:
    body = {"query": "SELECT * FROM DIGITALTWINS"}
    with server.client() as nobody:
        assert nobody.post("/query", json=body).status_code == 401
    with server.client(server.token("viewer")) as viewer:
        assert viewer.post("/query", json=body).status_code == 200
    with server.client(server.token("device", "pump-1")) as device:
        assert device.post("/query", json=body).status_code == 403


def test_command_line_prints_a_table_and_json(
    server: Inside, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMEL_URL", server.url)
    monkeypatch.setenv("GEMEL_TOKEN", server.admin)
    text = "SELECT T.$dtId AS id, T.name FROM DIGITALTWINS T WHERE T.target < 2"
    assert main(["query", text]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["id      name", "pump-0  Pump 0"]
    assert main(["query", text, "--json", "--limit", "1"]) == 0
    found = capsys.readouterr().out
    assert '"isComplete": false' in found
    assert '"pump-1"' not in found
    assert main(["query", "SELECT *\nFROM nothing"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert "line 2, column 6" in said[0]
    assert said[1].strip() == "FROM nothing"
    assert said[1][said[2].index("^") :] == "nothing"
