"""Who changed what and why; what is different between two moments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.inside import MODELS, PUMP, Inside, inside
from gemel.cli.main import main

CONTAINS = {"@type": "Relationship", "name": "contains"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("changes") / "data") as found:
        pump = {**MODELS[1], "contents": [*MODELS[1]["contents"], CONTAINS]}
        found.ask("POST", "/models", [MODELS[0], pump])
        put(found, "p", name="Pump", target=1.0)
        put(found, "q", name="Other")
        yield found


def put(server: Inside, twin: str, **values: Any) -> None:
    body = {"$metadata": {"$model": PUMP}, "bearing": {"$metadata": {}}, **values}
    server.ask("PUT", f"/digitaltwins/{twin}", body)


def now(server: Inside) -> str:
    return str(server.ask("GET", "/status")["time"])


def link(server: Inside, source: str, name: str, target: str) -> None:
    body = {"$relationshipName": "feeds", "$targetId": target}
    server.ask("PUT", f"/digitaltwins/{source}/relationships/{name}", body)


def test_changes_say_who_what_and_why(server: Inside) -> None:
    begin = now(server)
    put(server, "p", name="Pump", target=2.0)
    link(server, "p", "r", "q")
    changed = server.ask("GET", "/twins/p/changes")["value"]
    assert [(one["kind"], one["act"]) for one in changed] == [
        ("relationship", "added"),
        ("twin", "changed"),
        ("twin", "added"),
    ]
    assert changed[1]["changes"] == [
        {"path": "target", "before": 1.0, "after": 2.0, "act": "changed"}
    ]
    assert changed[1]["why"] == "PUT /digitaltwins/p"
    first = server.ask("GET", "/twins/p/changes?limit=1")
    rest = server.ask("GET", f"/twins/p/changes?cursor={first['cursor']}")["value"]
    assert first["value"] + rest == changed
    found = server.ask("GET", f"/twins/p/diff?from={begin}")
    assert found["act"] == "changed"
    assert [one["path"] for one in found["changes"]] == ["target"]
    assert [(one["act"], one["$targetId"]) for one in found["relationships"]] == [("added", "q")]


def test_values_of_two_moments_are_compared(server: Inside) -> None:
    put(server, "v", name="V")
    server.ingest("v", flow=1.5)
    begin = now(server)
    server.ingest("v", flow=2.5)
    found = server.ask("GET", f"/twins/v/diff?from={begin}")
    (value,) = found["values"]
    assert (value["path"], value["before"]["value"], value["after"]["value"]) == ("flow", 1.5, 2.5)
    assert found["act"] == "same"


def test_the_whole_plant_and_a_subtree_are_compared(server: Inside) -> None:
    put(server, "site", name="Site")
    begin = now(server)
    put(server, "in", name="In")
    put(server, "out", name="Out")
    put(server, "gone", name="Gone")
    server.ask("DELETE", "/digitaltwins/gone")
    body = {"$relationshipName": "contains", "$targetId": "in"}
    server.ask("PUT", "/digitaltwins/site/relationships/c", body)
    found = server.ask("GET", f"/diff?from={begin}")
    assert {one["key"] for one in found["value"] if one["kind"] == "twin"} == {"in", "out"}
    assert found["isComplete"]
    below = server.ask("GET", f"/diff?from={begin}&twin=site")["value"]
    assert {one["key"] for one in below} == {"in", "c"}


def test_spans_and_kinds_that_make_no_sense_are_refused(server: Inside) -> None:
    assert server.http.get("/diff?from=now&to=-1h").status_code == 400
    assert server.http.get("/diff?kind=token").status_code == 400
    assert server.http.get("/twins/none/diff").status_code == 404
    assert server.http.get("/twins/none/changes").status_code == 404


def test_the_command_line_tells_changes(server: Inside, capsys: pytest.CaptureFixture[str]) -> None:
    put(server, "z", name="Old", target=7.0)
    begin = now(server)
    put(server, "z", name="New", target=7.0)
    data = server.platform.config.data
    assert main(["twin", "changes", "z", "--data", data]) == 0
    assert "name: Old -> New" in capsys.readouterr().out
    assert main(["twin", "diff", "z", "--from", begin, "--data", data]) == 0
    assert "Old" in capsys.readouterr().out
    assert main(["diff", "--from", begin, "--kind", "twin", "--data", data]) == 0
    assert "name: Old -> New" in capsys.readouterr().out
