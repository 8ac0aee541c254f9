"""Any moment can be asked for: twins, relationships, models, alarms and queries as they were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.inside import MODELS, PUMP, Inside, inside
from gemel.cli.main import main
from gemel.core.clock import from_iso, to_iso


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("past") / "data") as found:
        found.ask("POST", "/models", MODELS)
        yield found


def put(server: Inside, twin: str, **values: Any) -> None:
    body = {"$metadata": {"$model": PUMP}, "bearing": {"$metadata": {}}, **values}
    server.ask("PUT", f"/digitaltwins/{twin}", body)


def now(server: Inside) -> str:
    return str(server.ask("GET", "/status")["time"])


def ask(server: Inside, text: str, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.ask("POST", "/query", {"query": text, **more})["value"]
    return found


def send(server: Inside, twin: str, time: str, **values: Any) -> None:
    server.ask("POST", "/ingest", [{"twin": twin, "time": time, **values}])


def test_a_twin_shows_what_it_was(server: Inside) -> None:
    put(server, "a", name="First", target=1.0)
    then = now(server)
    put(server, "a", name="Second", target=2.0)
    was = server.ask("GET", f"/digitaltwins/a?asOf={then}")
    assert (was["name"], was["target"]) == ("First", 1.0)
    assert server.ask("GET", "/digitaltwins/a")["name"] == "Second"


def test_a_twin_that_was_not_there_yet_is_not_found(server: Inside) -> None:
    then = now(server)
    put(server, "b", name="Late")
    answer = server.http.get(f"/digitaltwins/b?asOf={then}")
    assert answer.status_code == 404
    assert "there was no twin 'b' at" in answer.json()["error"]["message"]


def test_a_moment_that_lies_ahead_is_refused(server: Inside) -> None:
    answer = server.http.get("/digitaltwins/a?asOf=%2B1h")
    assert answer.status_code == 400
    assert "lies ahead" in answer.json()["error"]["message"]


def test_relationships_show_what_they_were(server: Inside) -> None:
    put(server, "c", name="C")
    put(server, "d", name="D")
    put(server, "e", name="E")
    body = {"$relationshipName": "feeds", "$targetId": "d"}
    server.ask("PUT", "/digitaltwins/c/relationships/r", body)
    then = now(server)
    server.ask("DELETE", "/digitaltwins/c/relationships/r")
    server.ask("PUT", "/digitaltwins/c/relationships/r", {**body, "$targetId": "e"})
    was = server.ask("GET", f"/digitaltwins/c/relationships?asOf={then}")["value"]
    assert [link["$targetId"] for link in was] == ["d"]
    assert server.ask("GET", f"/digitaltwins/e/incomingrelationships?asOf={then}")["value"] == []
    found = server.ask("GET", f"/digitaltwins/d/incomingrelationships?asOf={then}")["value"]
    assert [link["$sourceId"] for link in found] == ["c"]
    one = server.ask("GET", f"/digitaltwins/c/relationships/r?asOf={then}")
    assert one["$targetId"] == "d"
    joined = "SELECT B.$dtId FROM DIGITALTWINS A JOIN B RELATED A.feeds WHERE A.$dtId = 'c'"
    assert ask(server, joined) == [{"$dtId": "e"}]
    assert ask(server, joined, asOf=then) == [{"$dtId": "d"}]


def test_queries_answer_from_then_also_when_edits_go_on(server: Inside) -> None:
    put(server, "q1", name="Q", target=10.0)
    put(server, "q2", name="Q", target=20.0)
    then = now(server)
    text = "SELECT T.$dtId, T.target FROM DIGITALTWINS T{} WHERE T.name = 'Q' AND T.target > 5"
    first = ask(server, text.format(f" AS OF '{then}'"))
    put(server, "q1", name="Q", target=1.0)
    server.ask("DELETE", "/digitaltwins/q2")
    put(server, "q3", name="Q", target=30.0)
    again = ask(server, text.format(f" AS OF '{then}'"))
    assert again == first == [{"$dtId": "q1", "target": 10.0}, {"$dtId": "q2", "target": 20.0}]
    assert ask(server, text.format("")) == [{"$dtId": "q3", "target": 30.0}]


def test_telemetry_is_the_newest_of_then_and_late_readings_count(server: Inside) -> None:
    put(server, "t", name="T")
    start = from_iso(now(server))
    times = [to_iso(start - seconds * 10**9) for seconds in (300, 200, 100)]
    for time, value in zip(times, (1.0, 2.0, 3.0), strict=True):
        send(server, "t", time, temperature=value)
    text = "SELECT T.temperature, TIME(T.temperature) AS at FROM DIGITALTWINS T{} WHERE {}"
    where = "T.temperature > 0 AND T.$dtId = 't'"
    before = text.format(f" AS OF '{to_iso(start - 150 * 10**9)}'", where)
    assert ask(server, before) == []  # the readings were, the twin was not
    known = now(server)
    seen = text.format(f" AS OF '{known}'", where)
    assert ask(server, seen) == [{"temperature": 3.0, "at": times[2]}]
    late = to_iso(start - 50 * 10**9)
    send(server, "t", late, temperature=4.0)
    assert ask(server, seen) == [{"temperature": 4.0, "at": late}]
    recorded = text.format(f" AS OF '{known}' RECORDED AS OF '{known}'", where)
    assert ask(server, recorded) == [{"temperature": 3.0, "at": times[2]}]


def test_the_moment_is_not_given_twice(server: Inside) -> None:
    text = "SELECT * FROM DIGITALTWINS T AS OF '2020-01-01'"
    answer = server.http.post("/query", json={"query": text, "asOf": "-1h"})
    assert answer.status_code == 400
    assert "given twice" in answer.json()["error"]["message"]


def test_models_and_alarms_of_before_there_were_any(server: Inside) -> None:
    assert server.ask("GET", "/models?asOf=2020-01-01")["value"] == []
    assert server.ask("GET", "/alarms?asOf=2020-01-01&state=all")["value"] == []


def test_the_command_line_asks_as_of(server: Inside, capsys: pytest.CaptureFixture[str]) -> None:
    put(server, "z", name="Old")
    then = now(server)
    put(server, "z", name="New")
    data = server.platform.config.data
    assert main(["twin", "show", "z", "--as-of", then, "--data", data]) == 0
    assert "Old" in capsys.readouterr().out
    text = "SELECT T.name FROM DIGITALTWINS T WHERE T.$dtId = 'z'"
    assert main(["query", text, "--as-of", then, "--data", data]) == 0
    assert "Old" in capsys.readouterr().out
