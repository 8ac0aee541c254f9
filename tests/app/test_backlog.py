"""A device whose link was down sends what it kept: its rules are judged in its own time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.inside import PUMP, Inside, inside, until
from gemel.app import backlog
from gemel.core.clock import SECOND, to_iso
from gemel.core.errors import Unavailable


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path / "data") as found:
        found.pumps("pump-1", "pump-2")
        yield found


def send(server: Inside, twin: str, start: int, first: int, values: list[Any]) -> None:
    """Readings a second apart, as one message."""
    name = "mode" if isinstance(values[0], str) else "temperature"
    rows = [
        {"ts": (start + (first + i) * SECOND) // 1_000_000, "values": {name: value}}
        for i, value in enumerate(values)
    ]
    server.ask("POST", f"/ingest/{twin}", rows)


def rule(server: Inside, when: str, **more: Any) -> int:
    """A rule; where the readings begin."""
    server.ask("PUT", "/rules/hot", {"model": PUMP, "when": when, **more})
    return server.clock() // SECOND * SECOND - 900 * SECOND


def outage(server: Inside, start: int, hot: Any, cold: Any, *, is_awaited: bool = True) -> None:
    """Pump 1 is on time; pump 2 sends what it was at 100 to 850 s when that is over."""
    send(server, "pump-2", start, 0, [cold] * 100)
    send(server, "pump-1", start, 0, [cold] * 899)
    if is_awaited:
        wait(server)
    kept = [hot if 300 <= second < 500 else cold for second in range(100, 899)]
    for first in range(0, len(kept), 300):
        send(server, "pump-2", start, 100 + first, kept[first : first + 300])


def wait(server: Inside) -> None:
    """The rules have come as far as their readings."""
    reactions = server.platform.reactions
    server.clock.advance(20)

    def is_done() -> bool:
        own = list(reactions.engine._clocked.values())
        behind = [one for engine in own for _, one in engine.behind.items()]
        is_judged = all(one.since * SECOND >= one.newest for one in behind)
        is_done = is_judged and all(one.clock == one._promised for one in own)
        return is_done and not reactions.backlog._is_judging

    until(lambda: tick(server) and server.call(is_done))


def tick(server: Inside) -> bool:
    server.clock.advance(1)
    server.call(server.platform.tick, server.clock())
    return True


def alarms(server: Inside) -> list[dict[str, Any]]:
    return list(server.ask("GET", "/alarms", state="all")["value"])


def test_alarms_of_a_backlog_are_told_with_their_own_times(server: Inside) -> None:
    start = rule(server, "min of temperature over 60 s > 80 °C for 30 s")
    outage(server, start, 95, 20)
    wait(server)
    (one,) = until(lambda: alarms(server))
    assert (one["twin"], one["state"], one["value"]) == ("pump-2", "returned", 95)
    # the last cold reading leaves the window after 60 s, and the first hot one is followed by cold
    assert one["raised"] == to_iso(start - start % SECOND + 389 * SECOND)
    assert one["cleared"] == to_iso(start + 500 * SECOND)
    assert server.ask("GET", "/alarms/corrections")["value"] == []
    (view,) = [v for v in server.ask("GET", "/rules")["value"] if v["id"] == "hot"]
    assert "lateReadings" not in view


def test_a_backlog_of_texts_is_judged(server: Inside) -> None:
    start = rule(server, 'mode == "fault" for 30 s', lateness=2)
    outage(server, start, "fault", "run")
    wait(server)
    (one,) = until(lambda: alarms(server))
    assert (one["twin"], one["state"], one["value"]) == ("pump-2", "returned", "fault")
    assert one["raised"] == to_iso(start + 330 * SECOND)
    assert one["cleared"] == to_iso(start + 500 * SECOND)


def test_what_history_cannot_give_now_is_judged_later(
    server: Inside, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start = rule(server, "temperature > 80 °C for 30 s", lateness=2)

    def broken(*_: object, **__: object) -> None:
        raise Unavailable("the history is closed", hint="open it")

    with monkeypatch.context() as unreadable:
        unreadable.setattr(backlog.Reader, "read", broken)
        outage(server, start, 95, 20, is_awaited=False)
        until(lambda: tick(server) and "cannot be judged yet: the history is closed" in caplog.text)
        assert alarms(server) == []
    wait(server)
    (one,) = until(lambda: alarms(server))
    assert one["raised"] == to_iso(start + 330 * SECOND)


def test_too_much_to_be_judged_is_said_and_holds_nothing_up(
    server: Inside, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start = rule(server, "temperature > 80 °C for 30 s", lateness=2)
    with monkeypatch.context() as little:
        little.setattr(backlog, "MOST_READINGS", 500)
        outage(server, start, 95, 20)
        wait(server)
    assert "late readings of 'pump-2' are not judged" in caplog.text
    server.clock.advance(60)
    now = server.clock() // SECOND * SECOND
    send(server, "pump-2", now - 50 * SECOND, 0, [95] * 50)
    wait(server)
    raised = to_iso(now - 20 * SECOND)
    until(lambda: [one for one in alarms(server) if one["lastRaised"] == raised])


def test_a_backlog_that_waits_outlives_a_restart(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.pumps("pump-1", "pump-2")
        start = rule(server, "temperature > 80 °C for 30 s", lateness=2)
        server.platform.reactions.backlog._next = server.clock() + 10**15
        outage(server, start, 95, 20, is_awaited=False)
        tick(server)
        assert alarms(server) == []
    with inside(tmp_path / "data") as server:
        wait(server)
        (one,) = until(lambda: alarms(server))
        assert one["raised"] == to_iso(start + 330 * SECOND)
        assert one["cleared"] == to_iso(start + 500 * SECOND)
