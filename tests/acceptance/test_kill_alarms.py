"""Alarms and derived values after `kill -9` at random moments are those of a server left alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from app.inside import until
from running import Running

THING = "dtmi:test:Thing;1"
MODEL = {
    "@id": THING,
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [
        {"@type": "Telemetry", "name": "a", "schema": "double"},
        {"@type": "Telemetry", "name": "b", "schema": "double"},
        {"@type": "Relationship", "name": "contains"},
    ],
}
LATENESS = 600
"""Of every rule: a server that starts again takes some of it."""
TOTAL = {"model": THING, "property": "total", "formula": "sum of a in contains"}
RULES = {
    "mean": "mean of a over 10 s > 4",
    "long": "a > 4 deadband 1 for 5 s off for 2 s",
    "gone": "no a for 6 s",
    "often": "(a > 5) happens at least 2 times within 20 s",
    "high": "90th percentile of a over 30 s > 6",
    "rising": "slope of a over 8 s > 0.4",
    "some": "any a in contains > 6",
    "much": "total > 9 for 3 s",
    "trend": "mean of total over 10 s > 8 and b > 1",
}
END = 90
"""Seconds of a stream; what ends it moves the clock of the rules far beyond."""

one_reading = st.tuples(
    st.sampled_from(["x", "y", "line"]),
    st.sampled_from(["a", "a", "b"]),
    st.integers(0, END),
    st.integers(0, 9),
)
streams = st.lists(one_reading, min_size=60, max_size=90, unique_by=lambda reading: reading[:3])
numbers = count(1)


class World:
    """Three twins of one family, one stream of readings to them."""

    def __init__(self, running: Running, name: str, begin: int) -> None:
        self.running, self.name, self.begin = running, name, begin
        twins: dict[str, Any] = {f"{name}-{twin}": {"model": THING} for twin in ("x", "y")}
        twins[f"{name}-line"] = {"model": THING, "contains": list(twins)}
        running.call("POST", "/plant", {"twins": twins})

    def rows(self, readings: list[tuple[str, str, int, int]]) -> list[dict[str, Any]]:
        return [
            {"twin": f"{self.name}-{twin}", "time": (self.begin + at) * 1000, path: value}
            for twin, path, at, value in readings
        ]

    def send(self, readings: list[tuple[str, str, int, int]]) -> None:
        self.running.call("POST", "/ingest", self.rows(readings))

    def killed_while_sending(self, readings: list[tuple[str, str, int, int]]) -> None:
        """The answer never comes, so it is sent again after the start, as a client must."""

        def post() -> None:
            with self.running.http() as client:
                try:
                    client.post("/ingest", json=self.rows(readings))
                except httpx.HTTPError:
                    return

        sender = threading.Thread(target=post)
        sender.start()
        self.running.kill()
        sender.join()
        self.running.start()
        self.send(readings)

    def end(self) -> None:
        """A reading that moves the clock on, and the alarm that shows that all was judged."""
        for at in (END + 1_300, END + 2_600):
            self.send([("line", "b", at, 1_000)])
        until(lambda: [a for a in self.alarms() if a[0] == "end"], self.name)

    def alarms(self) -> list[tuple[str, str, str, str]]:
        found = self.running.call("GET", "/alarms", state="all", limit=1000)["value"]
        return sorted(
            (a["rule"], twin[len(self.name) :], a["raised"][11:], (a["cleared"] or "")[11:])
            for a in found
            if (twin := a["twin"]).startswith(f"{self.name}-")
        )

    def totals(self) -> list[tuple[int, float]]:
        found = self.running.call(
            "GET",
            "/history",
            twin=f"{self.name}-line",
            property="total",
            provenance="derived",
            **{"from": self.begin * 1000, "to": (self.begin + END + 1) * 1000},
        )["series"]
        if not found:
            return []
        times = [time - self.begin * 1000 for time in found[0]["time"]]
        return list(zip(times, found[0]["value"], strict=True))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("kill") / "data") as found:
        found.call("POST", "/models", [MODEL])
        found.call("PUT", "/derived/total", {**TOTAL, "lateness": LATENESS})
        for key, when in {**RULES, "end": "b > 999 for 1 s"}.items():
            document = {"model": THING, "when": when, "lateness": LATENESS, "repeats": "each"}
            found.call("PUT", f"/rules/{key}", document)
        yield found


@settings(max_examples=2, deadline=None, phases=[Phase.generate])  # a start costs seconds
@given(
    streams, st.randoms(use_true_random=False), st.sets(st.integers(0, 7), min_size=1, max_size=2)
)
def test_alarms_and_derived_values_are_the_same_with_and_without_kills(
    running: Running, stream: list[tuple[str, str, int, int]], late: Any, kills: set[int]
) -> None:
    number = next(numbers)
    begin = 1_700_006_400 + number * 10 * 86_400  # midnight
    in_order = sorted(stream, key=lambda reading: reading[2])
    shuffled = sorted(stream, key=lambda reading: reading[2] + late.randrange(8))
    calm = World(running, f"calm{number}", begin)
    calm.send(in_order)
    calm.end()
    struck = World(running, f"struck{number}", begin + 86_400)
    size = -(-len(shuffled) // 8)
    for part in range(8):
        readings = shuffled[part * size : (part + 1) * size]
        if part in kills and readings:
            struck.killed_while_sending(readings)
        elif readings:
            struck.send(readings)
    struck.end()
    assert struck.alarms() == calm.alarms()
    assert len(calm.alarms()) > 3
    until(lambda: calm.totals() and struck.totals() == calm.totals(), "the derived values")
