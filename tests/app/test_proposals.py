"""What services recommend becomes commands, as far as they may go; with a device that answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.inside import PUMP, Inside, inside, until
from gemel.core.document import Json
from gemel.services.contract import (
    Condition,
    Found,
    Job,
    Kind,
    Progress,
    Proposal,
    Readings,
    Result,
    Run,
    Setup,
)
from gemel.services.jobs import result_bytes, result_of
from gemel.services.registry import kinds

HIGH = 900.0
ANSWER = b'{"status": "succeeded"}'


class Slower:
    """Recommends a speed for every reading of the flow that is too high: the flow less 900."""

    def __init__(self, setup: Setup) -> None:
        self.signals = setup.signals
        self.twin_of = setup.parameters["of"]

    def update(self, readings: Readings) -> Found:
        rows = np.flatnonzero(readings.value > HIGH).tolist()
        return Found(proposals=tuple(self._one(readings, row) for row in rows))

    def _one(self, readings: Readings, row: int) -> Proposal:
        twin = self.twin_of or self.signals[int(readings.slot[row])].twin
        value, time = float(readings.value[row]) - HIGH, int(readings.time[row])
        gain = "2 kW"
        return Proposal(twin, "setSpeed", value, "the flow is too high", time, 600, gain, 0.9)

    def snapshot(self) -> bytes:
        return b""

    def restore(self, data: bytes) -> None:
        pass

    def condition(self) -> Condition | None:
        return None

    def status(self) -> Json:
        return {}


KIND = Kind(
    name="slower",
    title="Slower",
    about="a lower speed where the flow is too high",
    fidelity=0,
    parameters={"type": "object", "properties": {"of": {"type": "string", "default": ""}}},
    make=Slower,
    runs=(Run("now", "the speed to set now", "app.test_proposals:propose_now"),),
    reads=lambda signal, _: signal.path == "flow",
)


def propose_now(job: Job, _: Progress) -> Result:
    twin = job.instance.twins[0]
    return Result({}, proposals=[Proposal(twin, "setSpeed", 7.0, "the run says so")])


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    kinds()["slower"] = KIND  # as an entry point would
    yield tmp_path / "data"
    del kinds()["slower"]


@pytest.fixture
def server(data: Path) -> Iterator[Inside]:
    with inside(data) as found:
        found.pumps("pump-1", "pump-2")
        yield found


def put(server: Inside, autonomy: str, **more: Any) -> None:
    body = {"kind": "slower", "model": PUMP, "autonomy": autonomy, **more}
    server.ask("PUT", "/services/slow", body)


def commands(server: Inside, twin: str = "pump-1") -> list[dict[str, Any]]:
    """The newest first, once all that is recommended has become commands."""
    server.call(server.platform.tick, server.clock())
    until(lambda: not server.platform.services.proposals._waiting, "the commands")
    found: list[dict[str, Any]] = server.ask("GET", "/commands", twin=twin)["value"]
    return found


def test_advice_is_shown_as_proposed_and_says_why(server: Inside) -> None:
    put(server, "advise")
    server.ingest("pump-1", flow=912.0)
    (found,) = commands(server)
    assert (found["state"], found["service"]) == ("proposed", "service slow")
    assert found["arguments"] == 12.0
    note = "the flow is too high; expected gain: 2 kW; confidence 90%"
    assert found["steps"][0]["note"] == note
    assert server.ask("GET", "/audit", kind="command", key=found["id"])["value"][0]["why"] == (
        f"proposed: {note}"
    )
    taken = server.ask("POST", f"/commands/{found['id']}/approve", {"hash": found["hash"]})
    assert (taken["state"], taken["approval"]["takenBy"]) == ("queued", "admin")


def test_what_needs_approval_waits_and_only_the_newest_does(server: Inside) -> None:
    put(server, "approve")
    server.ingest("pump-1", flow=912.0)
    assert [c["state"] for c in commands(server)] == ["awaiting"]
    server.ingest("pump-1", flow=913.0)
    assert [(c["arguments"], c["state"]) for c in commands(server)] == [
        (13.0, "awaiting"),
        (12.0, "cancelled"),
    ]


def test_it_acts_within_bounds_until_somebody_stops_it(server: Inside) -> None:
    put(server, "act")
    with server.device("pump-1") as device:
        device.answers["setSpeed"] = ANSWER
        device.subscribe("devices/pump-1/commands/#")
        server.ingest("pump-1", flow=912.0)
        until(lambda: commands(server)[0]["state"] == "succeeded", "the device's answer")
        server.ask("PUT", "/autonomy/service slow", {"level": "act", "maximum": 20})
        server.ingest("pump-1", flow=950.0)
        assert commands(server)[0]["state"] == "awaiting"
        server.ask("POST", "/killswitch/stop", {"reason": "smoke"})
        until(lambda: commands(server)[0]["state"] == "refused", "the end of what waited")
        server.ingest("pump-1", flow=905.0)
        stopped = commands(server)[0]
        assert (stopped["arguments"], stopped["state"]) == (5.0, "refused")
        assert stopped["steps"][0]["note"].startswith("kill switch: service slow may send nothing")
        assert len([t for t in device.topics() if "/commands/" in t]) == 1
    levels = {one["service"]: one for one in server.ask("GET", "/autonomy")["value"]}
    assert (levels["service slow"]["level"], levels["service slow"]["by"]) == ("act", "setting")
    assert server.ask("GET", "/services/slow/status")["proposals"] == {"made": 3, "problem": ""}


def test_who_only_observes_recommends_nothing(server: Inside) -> None:
    put(server, "observe")
    server.ingest("pump-1", flow=912.0)
    assert commands(server) == []


def test_a_twin_that_is_not_its_own_is_left_alone(server: Inside) -> None:
    put(server, "act", model=None, twins=["pump-1"], parameters={"of": "pump-2"})
    server.ingest("pump-1", flow=912.0)
    assert commands(server, "pump-2") == []
    said = server.ask("GET", "/services/slow/status")["proposals"]
    assert said == {"made": 0, "problem": "'pump-2' is none of its twins"}


def test_what_came_too_late_is_not_followed(server: Inside) -> None:
    put(server, "act")
    hour_ago = server.clock() // 1_000_000 - 3_600_000
    server.ask("POST", "/ingest", [{"twin": "pump-1", "time": hour_ago, "flow": 912.0}])
    assert commands(server) == []


def test_a_restart_neither_loses_nor_doubles_a_command(data: Path) -> None:
    with inside(data) as server:
        server.pumps("pump-1", "pump-2")
        put(server, "approve")
        server.ingest("pump-1", flow=912.0)
        before = commands(server)
        server.ingest("pump-2", flow=930.0)  # nobody has asked for a tick
    with inside(data) as server:
        assert commands(server) == before
        assert [c["arguments"] for c in commands(server, "pump-2")] == [30.0]
    with inside(data) as server:
        assert len(commands(server, "pump-2")) == 1


def test_a_run_goes_as_far_as_its_service_only_by_schedule(
    server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    put(server, "act")
    server.ask("POST", "/runs", {"run": "now", "service": "slow"})
    by_hand = until(lambda: commands(server), "the command of the run")
    assert [c["state"] for c in by_hand] == ["proposed"]
    put(server, "act", schedule={"now": {"every": 3600}})
    server.clock.advance(3601)
    found = until(lambda: len(c := commands(server)) == 2 and c, "the command of the schedule")
    assert found[0]["state"] == "queued"
    assert found[0]["steps"][0]["note"] == "the run says so"


def test_a_result_keeps_its_proposals_on_the_way() -> None:
    given = Proposal("p", "stop", None, "because", 5, 60.0, "1 EUR", 0.5)
    assert list(result_of(result_bytes(Result({}, proposals=[given]))).proposals) == [given]
