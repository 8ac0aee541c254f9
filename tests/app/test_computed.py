"""What is computed has a name, and a staleness of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.inside import PUMP, Inside, inside, until

BEGIN_AGO = 40
PARAMETERS = {"signals": ["flow"], "warmup": 10, "every": 20, "sample": 1}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path / "data", stale_after=10.0) as found:
        found.pumps("pump-1", "pump-2")
        yield found


def shown(server: Inside, path: str) -> dict[str, Any]:
    """The value on the faceplate, once it is there."""

    def look() -> Any:
        server.call(server.platform.tick, server.clock())
        values = server.ask("GET", "/twins/pump-1")["properties"]
        return next((p for p in values if p["path"] == path), None)

    found: dict[str, Any] = until(look, path)
    return found


def flows(server: Inside) -> None:
    now = server.clock() // 1_000_000
    server.ask(
        "POST",
        "/ingest",
        [
            {"twin": "pump-1", "time": now - 1000 * ago, "flow": 10 + ago % 3}
            for ago in range(BEGIN_AGO, 0, -1)
        ],
    )


@pytest.mark.parametrize("subject", [{"model": PUMP}, {"twins": ["pump-1"]}])
def test_a_score_is_stale_after_three_of_its_intervals(
    server: Inside, subject: dict[str, Any]
) -> None:
    body = {"kind": "anomaly", **subject, "parameters": PARAMETERS}
    server.ask("PUT", "/services/watch", body)
    flows(server)
    score = shown(server, "anomaly.score")
    assert (score["displayName"], score["staleAfter"]) == ("Anomaly score", 60.0)
    kpi = {"id": "score", "label": "Score", "twin": "pump-1", "property": "anomaly.score"}
    server.ask("POST", "/plant", {"kpis": [kpi]})
    assert server.ask("GET", "/kpis")["value"][0]["staleAfter"] == 60.0
    server.clock.advance(30 - min(score["age"], 30))
    score, flow = shown(server, "anomaly.score"), shown(server, "flow")
    assert (score["isStale"], flow["isStale"], flow["staleAfter"]) == (False, True, 10.0)
    server.clock.advance(61)
    assert shown(server, "anomaly.score")["isStale"]


def test_a_formula_is_known_by_its_title(server: Inside) -> None:
    formula = {"model": PUMP, "property": "twice", "formula": "flow * 2", "every": 30}
    server.ask("PUT", "/derived/twice", {**formula, "title": "Twice the flow"})
    flows(server)
    found = shown(server, "twice")
    assert found["displayName"] == "Twice the flow"
    assert found["staleAfter"] >= 90
    assert shown(server, "target")["staleAfter"] == 0  # what is set never grows old
