"""How long a model's readings, minutes and hours are kept: set, checked, applied."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.inside import PUMP, Inside, inside
from gemel.app.retention import FOR_EVER, check_retention
from gemel.cli import main as cli
from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput
from gemel.history import Keep

DAY = 86_400 * SECOND


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("retention") / "data"


@pytest.fixture(scope="module")
def server(data: Path) -> Iterator[Inside]:
    with inside(data, retention_days=400.0) as found:
        found.pumps("pump-1")
        yield found


@pytest.mark.parametrize(
    "found",
    [
        [],
        {"days": 1},
        {"readings": "1"},
        {"readings": -1},
        {"readings": True},
        {"readings": 30, "minutes": 10},
        {"minutes": 30, "hours": 10},
    ],
)
def test_what_makes_no_sense_is_refused(found: Any) -> None:
    with pytest.raises(InvalidInput, match="retention"):
        check_retention(found, "settings")


def test_what_is_not_said_is_kept_as_long_as_what_is_finer(server: Inside) -> None:
    retention = server.platform.retention
    server.ask("PUT", f"/settings/{PUMP}", {})
    assert retention.keep() == pytest.approx(server.clock() - 400 * DAY, abs=10 * SECOND)
    settings = {"retention": {"readings": 30, "hours": 0}}
    server.ask("PUT", f"/settings/{PUMP}", settings)
    assert retention.days_of(PUMP) == {"readings": 30.0, "minutes": 30.0, "hours": 0.0}
    server.ingest("pump-1", flow=1.0)
    found = retention.keep()
    assert isinstance(found, Keep)
    number = server.platform.series.id("pump-1", "flow")
    ages = (server.clock() - found.from_[:2, number]) / DAY
    assert ages == pytest.approx([30, 30], abs=0.001)
    assert found.from_[2, number] == FOR_EVER
    assert np.array(found.rest) == pytest.approx([server.clock() - 400 * DAY] * 3, abs=SECOND * 99)


def test_old_readings_go_and_their_hours_stay(server: Inside) -> None:
    server.ask("PUT", f"/settings/{PUMP}", {"retention": {"readings": 30, "hours": 0}})
    old = (server.clock() - 40 * DAY) // 1_000_000
    rows = [{"time": old + 1000 * i, "temperature": float(i)} for i in range(100)]
    server.ask("POST", "/ingest/pump-1", rows)
    server.ask("POST", "/compact")
    span = {"from": old - 3_600_000, "to": old + 3_600_000}
    asked = {"twin": "pump-1", "property": "temperature", **span}
    raw = server.ask("GET", "/history", **asked)["series"][0]
    assert raw["value"] == []
    found = server.ask("GET", "/history", **asked, bucket=7200, aggregate="sd")["series"][0]
    hours = server.ask("GET", "/history", **asked, bucket=3600, aggregate="count")["series"][0]
    assert sum(hours["value"]) == 100
    assert len(found["value"]) >= 1


def test_command_line_shows_and_sets_it(
    server: Inside, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.ask("PUT", f"/settings/{PUMP}", {"staleAfter": 5})
    assert (
        cli.main(["retention", PUMP, "--readings", "7", "--hours", "0", "--data", str(data)]) == 0
    )
    assert server.ask("GET", f"/settings/{PUMP}") == {
        "staleAfter": 5,
        "retention": {"readings": 7, "hours": 0},
    }
    capsys.readouterr()
    assert cli.main(["retention", "--data", str(data)]) == 0
    assert PUMP in capsys.readouterr().out
    assert cli.main(["retention", "--readings", "7", "--data", str(data)]) != 0
