"""Limits that predictions are about to break."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inside import PUMP, Inside, inside, until
from gemel.app.risks import chance_beyond
from gemel.core.clock import SECOND

BAND = [(0.05, 10.0), (0.5, 20.0), (0.95, 30.0)]


@pytest.mark.parametrize(
    ("limit", "is_above", "chance"),
    [(20, True, 0.5), (25, True, 0.275), (25, False, 0.725), (5, True, 0.95), (35, False, 0.95)],
)
def test_the_chance_lies_between_the_quantiles(limit: float, is_above: bool, chance: float) -> None:
    assert chance_beyond(BAND, limit, is_above) == pytest.approx(chance)


def test_one_quantile_or_a_limit_beyond_all_tells_nothing() -> None:
    assert chance_beyond(BAND[:1], 20, True) is None
    assert chance_beyond(BAND, 31, True) is None
    assert chance_beyond(BAND, 9, False) is None


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=6).map(sorted),
    st.floats(-1e6, 1e6),
    st.floats(-1e6, 1e6),
)
def test_a_higher_limit_is_never_likelier_to_be_passed(
    values: list[float], one: float, other: float
) -> None:
    levels = [(i + 1) / (len(values) + 1) for i in range(len(values))]
    band = list(zip(levels, values, strict=True))
    low, high = sorted((one, other))
    easy, hard = chance_beyond(band, low, True), chance_beyond(band, high, True)
    assert easy is not None or hard is None
    assert (easy or 0.0) >= (hard or 0.0) - 1e-12


def predict(server: Inside, twin: str, ahead: float, **band: float) -> None:
    time = (server.clock() + round(ahead * SECOND)) // 1_000_000
    answer = server.http.post(
        f"/ingest/{twin}", params={"provenance": "predicted"}, json={"time": time, **band}
    )
    assert answer.status_code == 200, answer.text


def band(low: float, middle: float, high: float) -> dict[str, Any]:
    return {"flow": middle, "flow@q0.05": low, "flow@q0.95": high}


def test_risks_are_ranked_by_chance_times_consequence(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.pumps("pump-1", "pump-2", "pump-3")
        rules = {"high": ("flow > 70", 2), "dry": ("flow < 5", 1), "mild": ("flow > 60", 4)}
        for key, (when, priority) in rules.items():
            rule = {"model": PUMP, "when": when, "priority": priority, "title": key}
            server.ask("PUT", f"/rules/{key}", rule)
        predict(server, "pump-1", 3600, **band(60, 70, 80))
        predict(server, "pump-2", 3600, **band(2, 8, 30))
        predict(server, "pump-3", -3600, **band(60, 70, 80))  # what is over is no risk
        until(lambda: len(server.ask("GET", "/risks")["value"]) == 2)
        found = server.ask("GET", "/risks")["value"]
        assert [(one["twin"], one["rule"], one["isAbove"]) for one in found] == [
            ("pump-1", "high", True),
            ("pump-2", "dry", False),
        ]
        assert [one["chance"] for one in found] == pytest.approx([0.5, 0.1464])
        assert [one["score"] for one in found] == pytest.approx([2.0, 1.1714])
        server.ingest("pump-1", flow=75)
        until(lambda: len(server.ask("GET", "/alarms", twin="pump-1")["value"]) == 2)
        assert [one["twin"] for one in server.ask("GET", "/risks")["value"]] == ["pump-2"]
