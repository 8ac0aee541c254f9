from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.inside import PUMP, Inside, inside, until
from gemel.core.clock import SECOND, to_iso
from gemel.core.errors import Unavailable
from gemel.services.rules.belated import Belated


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path / "data") as found:
        found.pumps("pump-1")
        yield found


def send(server: Inside, twin: str, start: int, temperatures: dict[float, float]) -> None:
    """Readings by the second they are of."""
    for second, value in temperatures.items():
        moment = (start + round(second * SECOND)) // 1_000_000
        server.ask("POST", f"/ingest/{twin}", {"ts": moment, "values": {"temperature": value}})


def noted(server: Inside) -> Belated:
    return server.platform.reactions.engine.belated


def corrected(server: Inside) -> list[dict[str, Any]]:
    """The corrections once those of all late readings noted so far are made."""
    late = server.platform.reactions.late
    server.call(late.tick, server.clock())
    server.clock.advance(10)
    server.call(late.tick, server.clock())
    until(lambda: not late._is_correcting)
    return list(server.ask("GET", "/alarms/corrections")["value"])


def spans(found: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(one["raised"], one["cleared"]) for one in found]


def test_an_alarm_that_late_readings_would_have_raised_is_recorded(server: Inside) -> None:
    server.ask("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 80 °C"})
    start = server.clock() // SECOND * SECOND - 600 * SECOND
    send(server, "pump-1", start, {0: 20, 60: 21})
    send(server, "pump-1", start, {20: 95, 30: 22})
    until(lambda: len(noted(server)) == 2)
    (one,) = corrected(server)
    assert (one["rule"], one["twin"], one["readings"], one["told"]) == ("hot", "pump-1", 2, [])
    expected = [(to_iso(start + 20 * SECOND), to_iso(start + 30 * SECOND))]
    assert spans(one["actual"]) == expected
    assert server.ask("GET", "/alarms", state="all")["value"] == []
    report = server.ask("GET", "/alarms/handover", **{"from": "-1h"})
    assert [c["id"] for c in report["corrections"]] == [one["id"]]


def test_an_alarm_that_late_readings_belie_is_recorded(server: Inside) -> None:
    when = "temperature > 80 °C for 30 s"
    server.ask("PUT", "/rules/hot", {"model": PUMP, "when": when, "lateness": 2})
    start = server.clock() // SECOND * SECOND - 600 * SECOND
    send(server, "pump-1", start, {0: 90, 40: 91, 50: 20, 200: 20})
    raised = until(lambda: server.ask("GET", "/alarms", state="all")["value"])
    send(server, "pump-1", start, {20: 50})
    until(lambda: len(noted(server)) == 1)
    (one,) = corrected(server)
    assert [e["raised"] for e in one["told"]] == [raised[0]["raised"]]
    assert one["actual"] == []


def test_late_readings_that_change_nothing_are_no_correction(server: Inside) -> None:
    server.ask("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 80 °C"})
    start = server.clock() // SECOND * SECOND - 600 * SECOND
    send(server, "pump-1", start, {0: 20, 60: 21, 10: 30, 20: 40})
    until(lambda: len(noted(server)) == 2)
    assert corrected(server) == []
    assert not noted(server)


def test_what_waits_for_its_correction_outlives_a_restart(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.pumps("pump-1")
        server.ask("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 80 °C"})
        start = server.clock() // SECOND * SECOND - 600 * SECOND
        send(server, "pump-1", start, {0: 20, 60: 21, 20: 95, 30: 22})
        until(lambda: len(noted(server)) == 2)
    with inside(tmp_path / "data") as server:
        (one,) = corrected(server)
        assert one["actual"][0]["raised"] == to_iso(start + 20 * SECOND)
    with inside(tmp_path / "data") as server:  # kept, and not made twice
        assert [c["id"] for c in corrected(server)] == [one["id"]]


def test_a_correction_that_cannot_be_stored_waits(
    server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.ask("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 80 °C"})
    start = server.clock() // SECOND * SECOND - 600 * SECOND
    send(server, "pump-1", start, {0: 20, 60: 21, 20: 95, 30: 22})
    until(lambda: len(noted(server)) == 2)

    async def full(*_: object, **__: object) -> None:
        raise Unavailable("the disk is full", hint="make room")

    with monkeypatch.context() as broken:
        broken.setattr(server.platform, "edit", full)
        assert corrected(server) == []
        until(lambda: len(noted(server)) == 2)  # the server itself tries again, too
    until(lambda: len(corrected(server)) == 1)
