from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.inside import PUMP, Inside, inside, until
from gemel.app import late_alarms
from gemel.cli.main import main
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Edit
from gemel.core.errors import Unavailable
from gemel.services.rules.belated import Belated
from gemel.twins.graph import EditContext


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


def test_an_alarm_of_silence_that_a_backlog_belies_is_recorded(server: Inside) -> None:
    server.ask("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 80 °C for 20 s"})
    start = server.clock() // SECOND * SECOND
    send(server, "pump-1", start, {0: 90})
    server.clock.advance(40)
    server.call(server.platform.tick, server.clock())
    (alarm,) = until(lambda: server.ask("GET", "/alarms", state="all")["value"])
    assert alarm["raised"] == to_iso(start + 20 * SECOND)  # the value seemed to hold
    send(server, "pump-1", start, {10: 20, 30: 20})
    (one,) = corrected(server)
    assert [e["raised"] for e in one["told"]] == [alarm["raised"]]
    assert one["actual"] == []


def test_signals_that_come_one_after_the_other_are_judged_together(server: Inside) -> None:
    when = "temperature > 80 °C and flow > 5"
    server.ask("PUT", "/rules/hot", {"model": PUMP, "when": when})
    start = server.clock() // SECOND * SECOND - 600 * SECOND
    send(server, "pump-1", start, {0: 90, 200: 20, 210: 20})
    flow = {0: 1, 100: 9, 150: 1, 195: 1}
    rows = [
        {"ts": (start + second * SECOND) // 1_000_000, "values": {"flow": value}}
        for second, value in flow.items()
    ]
    server.ask("POST", "/ingest/pump-1", rows)
    (one,) = corrected(server)
    assert one["told"] == []
    assert spans(one["actual"]) == [
        (to_iso(start + 100 * SECOND), to_iso(start + 150 * SECOND)),
    ]


def message(start: int, temperatures: list[float]) -> list[dict[str, Any]]:
    """Readings a second apart, as one message of many rows."""
    return [
        {"ts": (start + i * SECOND) // 1_000_000, "values": {"temperature": value}}
        for i, value in enumerate(temperatures)
    ]


@pytest.mark.parametrize("when", ["temperature > 80 °C", "max of temperature over 10 s > 80 °C"])
@pytest.mark.parametrize("is_sealed", [False, True])
def test_a_message_of_many_rows_that_is_repeated_changes_nothing(
    server: Inside, when: str, is_sealed: bool
) -> None:
    server.ask("PUT", "/rules/hot", {"model": PUMP, "when": when})
    start = server.clock() // SECOND * SECOND - 8_000 * SECOND
    pattern = [90.0 if i % 50 == 7 else 20.0 + i % 10 for i in range(6_000)]
    rows = message(start, pattern)
    server.ask("POST", "/ingest/pump-1", rows)
    server.clock.advance(5)

    def alarms() -> list[dict[str, Any]]:
        return [
            one
            for one in server.ask("GET", "/alarms", state="all")["value"]
            if one["occurrences"] == 120 and one["state"] == "returned"
        ]

    before = until(alarms)
    for _ in range(2):
        for part in (rows, rows[1_000:3_000], rows[::-1]):
            server.ask("POST", "/ingest/pump-1", part)
            server.clock.advance(1)
        if is_sealed:
            server.platform.history.seal(wait=False)
    assert len(noted(server)) > 0  # so many that some were forgotten
    assert corrected(server) == []
    assert not noted(server)
    assert alarms() == before


def test_what_is_new_among_what_is_repeated_is_corrected(server: Inside) -> None:
    server.ask("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 80 °C"})
    start = server.clock() // SECOND * SECOND - 8_000 * SECOND
    rows = message(start, [20.0 + i % 10 for i in range(6_000)])
    hot = {"ts": rows[100]["ts"] + 500, "values": {"temperature": 95}}
    server.ask("POST", "/ingest/pump-1", rows)
    server.clock.advance(5)
    server.ask("POST", "/ingest/pump-1", [*rows, hot])
    (one,) = corrected(server)
    assert one["readings"] == 1
    raised = start + 100 * SECOND + SECOND // 2
    assert spans(one["actual"]) == [(to_iso(raised), to_iso(start + 101 * SECOND))]
    assert one["told"] == []
    server.ask("POST", "/ingest/pump-1", [hot, *rows])
    assert [c["id"] for c in corrected(server)] == [one["id"]]


def test_a_correction_noted_by_an_earlier_version_is_made() -> None:
    belated = Belated()
    belated.restore([["hot", "pump-1", 3, [20, 10]]])
    (one,) = belated.take()
    assert one.times[3].tolist() == [10, 20]
    assert one.is_news(3, one.times[3], one.times[3]).all()
    belated.put_back([one])
    assert belated.snapshot() == [["hot", "pump-1", 3, [10, 20], [0, 0]]]


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


def test_what_is_more_than_is_kept_is_counted(
    server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(late_alarms, "MOST_EPISODES", 1)
    server.ask("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 80 °C"})
    start = server.clock() // SECOND * SECOND - 600 * SECOND
    send(server, "pump-1", start, {0: 20, 90: 21, 20: 95, 30: 22, 40: 96, 50: 23, 60: 97, 70: 24})
    until(lambda: len(noted(server)) == 6)
    (one,) = corrected(server)
    assert (len(one["actual"]), one["leftOut"]) == (1, {"told": 0, "actual": 2})


def kept(server: Inside, count: int) -> list[str]:
    """So many corrections, as an earlier version kept them; their ids, the newest first."""
    keys = [f"c-{number:011x}-0" for number in range(count)]

    def plan(_: object, context: EditContext) -> tuple[list[Edit], None]:
        edits = []
        for number, key in enumerate(keys):
            twin = "pump-1" if number % 50 else "other"
            doc = {"id": key, "rule": f"r{number % 3}", "twin": twin, "told": [], "actual": []}
            at = to_iso(context.now)
            doc |= {"from": at, "to": at, "recorded": at, "title": "", "twinName": twin}
            edits.append(context.edit(late_alarms.KIND, key, {**doc, "priority": 1, "readings": 1,
                                                              "ruleVersion": 1}))  # fmt: skip
        return edits, None

    server.run(server.platform.edit(plan))
    return keys[::-1]


def paged(client: httpx.Client, limit: int, **query: str) -> list[list[str]]:
    """The ids on each page."""
    pages, cursor = [], ""
    while True:
        asked = {"limit": limit, "cursor": cursor, **query}
        found = client.get("/alarms/corrections", params=asked).json()
        assert all(one["leftOut"] == {"told": 0, "actual": 0} for one in found["value"])
        pages.append([one["id"] for one in found["value"]])
        if found["cursor"] is None:
            return pages
        cursor = found["cursor"]


def test_all_corrections_come_page_by_page_the_newest_readings_first(
    server: Inside, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = kept(server, 230)
    for limit, sizes in ((100, [100, 100, 30]), (115, [115, 115]), (1_000, [230])):
        pages = paged(server.http, limit)
        assert [len(page) for page in pages] == sizes
        assert list(chain(*pages)) == keys
    number_of = {key: 229 - place for place, key in enumerate(keys)}
    few = [k for k in keys if number_of[k] % 3 == 1 and number_of[k] % 50 == 0]
    assert list(chain(*paged(server.http, 7, rule="r1", twin="other"))) == few
    monkeypatch.setattr(late_alarms, "MOST_LOOKED_AT", 200)
    assert list(chain(*paged(server.http, 100, twin="other"))) == keys[29::50]
    for wrong in ("x", "WzFd"):
        answer = server.http.get("/alarms/corrections", params={"cursor": wrong})
        assert answer.status_code == 400
    policy = {"who": {"names": ["eva"]}, "twins": ["pump-1"]}
    server.ask("PUT", "/policies/eva", policy)
    with server.client(server.token("viewer", name="eva")) as eva:
        assert len(list(chain(*paged(eva, 90)))) == 225
    data = ("--data", server.platform.config.data)
    assert main(["alarm", "corrections", "--limit", "229", *data]) == 0
    assert "there are more: --cursor " in capsys.readouterr().out
