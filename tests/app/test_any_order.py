"""The same readings in any order, in any batches and again: the record tells the same alarms."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.app import plant_files
from gemel.app.config import Config
from gemel.app.platform import Platform
from gemel.core.access import SYSTEM
from gemel.core.clock import SECOND, FakeClock, from_iso
from gemel.core.message import Message
from running import SMALL_BALLAST

PLAIN = [
    "a > 5",
    "a > 5 for 7 s",
    "a > 5 for 20 s off for 15 s",
    "a > 5 deadband 2",
    "a >= 6 deadband 3 for 5 s off for 9 s",
    "a < 3 deadband 1 and b > 4",
    "not (a > 5 deadband 2) or b == 3 for 1 s off for 2 s",
    "on and a >= 4 for 1500 ms",
    "a - b > 2 for 12 s off for 3 s",
    "max(a, b) > 6 for 30 s",
]
CLOCKED = [
    "mean of a over 10 s > 4",
    "mean of a over 40 s > 4 deadband 1 for 2 s off for 3 s",
    "sd of a over 30 s > 2 and b > 3",
    "min of a over 20 s > 3 or max of b over 5 s < 3",
    "median of a over 25 s >= 4",
    "slope of a over 30 s > 0.1",
    "a rises by more than 4 within 25 s",
    "no a for 20 s",
    "no a for 15 s and b > 4",
    "count of a over 40 s >= 4",
    "(a > 5) happens at least 2 times within 60 s",
    "max of (a - b) over 27 s > 5 off for 10 s",
]
RELATIVES = [
    "any a in contains > 6",
    "mean of a in contains > 4 for 5 s",
    "all a in contains > 2 deadband 1 for 2 s",
    "sum of a in contains - a > 3 off for 10 s",
    "any twin in contains has (mean of a over 20 s > 4)",
    "mean of (sum of a in contains) over 15 s > 5",
]
"""Twin x contains y."""
LATE = [(text, seconds) for text in PLAIN[1:8] for seconds in (2, 30)]
RULES = [(text, None) for text in PLAIN + CLOCKED + RELATIVES] + LATE
TWINS = ("x", "y")
PATHS = ("a", "b", "on")
SPAN = 200
"""Seconds of readings."""
BEGIN = 1_700_000_000
Story = dict[tuple[str, float | None], tuple[float | None, int]]
"""By twin and seconds of the raise, those of the clear and the priority."""


def model(name: str) -> dict[str, Any]:
    kinds = {"a": "double", "b": "double", "on": "boolean"}
    contents = [{"@type": "Telemetry", "name": n, "schema": s} for n, s in kinds.items()]
    contents.append({"@type": "Relationship", "name": "contains"})
    return {
        "@id": f"dtmi:test:{name};1",
        "@type": "Interface",
        "@context": "dtmi:dtdl:context;3",
        "contents": contents,
    }


@dataclass(frozen=True)
class Reading:
    twin: str
    path: str
    quarter: int
    """Of a second, from the beginning."""
    value: int
    way: int
    """Seconds until it comes, beyond the time at which it was measured."""
    again: int | None
    """After which it comes once more."""

    @property
    def time(self) -> int:
        return self.quarter * SECOND // 4

    def row(self, start: int) -> dict[str, Any]:
        value = bool(self.value % 2) if self.path == "on" else float(self.value)
        return {"ts": (start + self.time) // 1_000_000, "values": {self.path: value}}


@dataclass
class Plant:
    """A platform without its listeners; time goes on when the test says so."""

    folder: Path
    clock: FakeClock = field(default_factory=lambda: FakeClock(BEGIN * SECOND))
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.run(self._start())

    async def _start(self) -> None:
        config = Config(data=str(self.folder), ballast=SMALL_BALLAST, stale_after=1e6)
        self.platform = Platform(config, self.clock)
        await self.platform.start()
        assert self.platform._ticker is not None
        self.platform._ticker.cancel()

    def restart(self) -> None:
        self.run(self.platform.close())
        self.run(self._start())

    def close(self) -> None:
        self.loop.run_until_complete(self.platform.close())
        self.loop.close()

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def rule(self, text: str, lateness: int | None) -> Told:
        """A rule on a model of its own, with two twins."""
        name = f"M{next(self.numbers)}"
        twins: dict[str, Any] = {
            f"{name}-{twin}": {"model": f"dtmi:test:{name};1"} for twin in TWINS
        }
        twins[f"{name}-x"]["contains"] = [f"{name}-y"]
        document = {"model": f"dtmi:test:{name};1", "when": text, "repeats": "each"}
        if lateness is not None:
            document["lateness"] = lateness
        plant = {"models": [model(name)], "twins": twins, "rules": [{"id": name, **document}]}
        self.run(plant_files.import_plant(self.platform, plant, "test"))
        return Told(self, name)

    async def tick(self) -> None:
        self.platform.tick(self.clock())
        while self.platform._tasks:
            await asyncio.wait(set(self.platform._tasks))

    def rest(self) -> None:
        """Nothing comes any more: all that is late has been looked at."""
        reactions = self.platform.reactions
        for step in itertools.count():
            self.clock.advance(11)
            self.run(self.tick())
            if step > 10 and not (reactions.engine.belated or reactions._uncommitted):
                return
            assert step < 60, "it does not come to rest"


@dataclass
class Told:
    """What one rule tells of its twins."""

    plant: Plant
    name: str

    def send(self, readings: list[Reading], start: int) -> None:
        """All in one go, those of a twin as one message."""
        messages = []
        for twin in dict.fromkeys(r.twin for r in readings):
            rows = [r.row(start) for r in readings if r.twin == twin]
            topic = f"devices/{self.name}-{twin}/telemetry"
            payload = orjson.dumps(rows)
            messages.append(Message(topic, payload, self.plant.clock(), SYSTEM))
        taken = self.plant.run(self.plant.platform.ingest(messages))
        assert not taken.rejects

    def story(self, start: int) -> Story:
        """By twin and raise, the clear and the priority: alarms, and what corrects them."""
        reactions = self.plant.platform.reactions
        alarms = [a for a in reactions.alarms.find(state="all") if a["rule"] == self.name]
        found = {(a["twin"], a["raised"]): (a["cleared"], a["priority"]) for a in alarms}
        page = reactions.late.page("", 1_000, lambda doc: doc["rule"] == self.name)
        corrections, cursor = self.plant.run(page)
        assert cursor is None
        for one in sorted(corrections, key=lambda doc: doc["recorded"]):
            twin, end = one["twin"], None
            for episode in one["told"]:
                cleared, _ = found.pop((twin, episode["raised"]))
                end = cleared if episode["cleared"] is None else end
            for episode in one["actual"]:
                cleared = end if episode["cleared"] is None else episode["cleared"]
                found[twin, episode["raised"]] = (cleared, one["priority"])

        def after(iso: str | None) -> float | None:
            return None if iso is None else (from_iso(iso) - start) / SECOND

        prefix = len(self.name) + 1
        return {
            (twin[prefix:], after(raised)): (after(cleared), priority)
            for (twin, raised), (cleared, priority) in found.items()
        }


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    found = Plant(tmp_path_factory.mktemp("plant") / "data")
    yield found
    found.close()


one_reading = st.builds(
    Reading,
    st.sampled_from(TWINS),
    st.sampled_from(("a", "a", "a", "b", "on")),
    st.integers(0, SPAN * 4),
    st.integers(0, 9),
    st.sampled_from([0, 0, 0, 1, 3, 8, 30, 90, 400]),
    st.sampled_from([None, None, None, 0, 10, 300]),
)
drawn_readings = st.lists(
    one_reading, min_size=1, max_size=40, unique_by=lambda r: (r.twin, r.path, r.quarter)
)


def arrivals(readings: list[Reading], delivery: str) -> dict[int, list[Reading]]:
    """By quarter of a second, what comes then.

    Args:
        readings: in the order in which those of one moment come.
        delivery: `in order`, as measured; `late`, each as long after as it says; `backlog`, all
            after the last one was measured; those that come again do so.
    """
    found: dict[int, list[Reading]] = {}
    for reading in readings:
        if delivery == "in order":
            found.setdefault(reading.quarter, []).append(reading)
            continue
        begin = -(-reading.quarter // 4) if delivery == "late" else SPAN + 1
        found.setdefault(4 * (begin + reading.way), []).append(reading)
        if reading.again is not None:
            found.setdefault(4 * (begin + reading.way + reading.again), []).append(reading)
    return found


@dataclass(frozen=True)
class Delivery:
    how: str
    stop: int | None = None
    """The quarter of a second after which the server is started anew."""


def deliver(
    plant: Plant, rule: tuple[str, int | None], readings: list[Reading], delivery: Delivery
) -> Story:
    """What a rule of that text and lateness tells in the end."""
    told = plant.rule(*rule)
    start = plant.clock() // SECOND * SECOND + SECOND
    due = arrivals(readings, delivery.how)
    for quarter in range(max(due) + 1):
        plant.clock.now = start + quarter * SECOND // 4
        if quarter in due:
            told.send(due[quarter], start)
        if quarter == delivery.stop:
            plant.restart()
        if quarter % 20 == 0:
            plant.run(plant.tick())
    plant.rest()
    found = told.story(start)
    plant.run(plant.platform.reactions.delete_rule(told.name, "test"))
    return found


any_delivery = st.builds(
    Delivery,
    st.sampled_from(["late", "backlog"]),
    st.one_of(st.none(), st.integers(0, SPAN * 8)),
)


@settings(max_examples=25, deadline=None)
@given(readings=drawn_readings, rule=st.sampled_from(RULES), delivery=any_delivery)
def test_any_order_of_arrival_tells_the_same_story(
    plant: Plant, readings: list[Reading], rule: tuple[str, int | None], delivery: Delivery
) -> None:
    ordered = deliver(plant, rule, readings, Delivery("in order"))
    assert deliver(plant, rule, readings, delivery) == ordered
