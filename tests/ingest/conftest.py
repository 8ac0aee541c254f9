"""A small plant and short words to send to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pytest

from gemel.core.access import Principal
from gemel.core.clock import SECOND
from gemel.core.message import Message
from gemel.core.series import SeriesTable
from gemel.ingest.accept import Accepted, Ingest
from gemel.ingest.points import Layout, Point, PointTable

NOW = 1_763_800_000 * SECOND
PUMP = {
    "flow": Point("double", 0.0, 80.0, unit="m³/h"),
    "pressure": Point("float"),
    "starts": Point("integer", 0, 1e6),
    "energy": Point("long"),
    "running": Point("boolean"),
    "state": Point("enum", values=frozenset({"off", "running", "fault"})),
    "label": Point("string"),
    "motor.temperature": Point("double", -40.0, 150.0, unit="°C"),
    "serviced": Point("date"),
    "started": Point("dateTime"),
    "cycle": Point("duration"),
    "shift": Point("time"),
    "position": Point("object"),
    "spectrum": Point("array"),
    "tags": Point("map"),
}


class StrictIngest(Ingest):
    """Shows what the real one would log and get over."""

    def _surprised(self, error: Exception) -> None:
        raise error


class Plant:
    """An ingest stage over `pump-1` and `pump-2`, and one over which tests add twins."""

    def __init__(self) -> None:
        self.series = SeriesTable()
        self.points = PointTable()
        for twin in ("pump-1", "pump-2"):
            self.add(twin, PUMP)
        self.ingest: Ingest = StrictIngest(self.series, self.points)
        self.engineer = Principal("bridge", "engineer")
        self.pump = Principal("pump-1", "device", ("pump-1",))

    def add(self, twin: str, points: dict[str, Point], *, is_open: bool = False) -> None:
        series = [self.series.id(twin, path) for path in points]
        self.points.set_twin(twin, Layout(points), series, open=is_open)

    def message(
        self,
        payload: Any,
        topic: str = "devices/pump-1/telemetry",
        *,
        who: Principal | None = None,
        received: int = NOW,
        content_type: str = "",
    ) -> Message:
        body = payload if isinstance(payload, bytes) else orjson.dumps(payload)
        return Message(topic, body, received, who or self.engineer, content_type)

    def send(self, payload: Any, topic: str = "devices/pump-1/telemetry", **more: Any) -> Accepted:
        return self.accept([self.message(payload, topic, **more)])

    def accept(self, messages: Sequence[Message], now: int = NOW) -> Accepted:
        return self.ingest.accept(messages, now)

    def readings(self, accepted: Accepted) -> dict[str, Any]:
        """Twin/path to value or JSON text, of the last reading each."""
        return {f"{t}/{p}": v for t, p, _, v, _ in self.rows(accepted)}

    def rows(self, accepted: Accepted) -> list[tuple[str, str, int, Any, int]]:
        """(twin, path, time, value or JSON text, quality)"""
        batch = accepted.batch
        found = []
        for row in range(len(batch)):
            key = self.series.keys[batch.series[row]]
            text = batch.text.get(row)
            value = float(batch.value[row]) if text is None else text
            assert text is None or np.isnan(batch.value[row])
            quality = int(batch.quality[row])
            found.append((key.twin, key.path, int(batch.time[row]), value, quality))
        return found


@pytest.fixture
def plant() -> Plant:
    return Plant()


@pytest.fixture(scope="session")
def plant_class() -> type[Plant]:
    return Plant
