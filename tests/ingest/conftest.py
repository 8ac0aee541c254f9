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
from gemel.ingest.points import Point, PointTable

NOW = 1_763_800_000 * SECOND
PUMP = {
    "flow": Point(0, "double", 0.0, 80.0, unit="m³/h"),
    "pressure": Point(0, "float"),
    "starts": Point(0, "integer", 0, 1e6),
    "energy": Point(0, "long"),
    "running": Point(0, "boolean"),
    "state": Point(0, "enum", values=frozenset({"off", "running", "fault"})),
    "label": Point(0, "string"),
    "motor.temperature": Point(0, "double", -40.0, 150.0, unit="°C"),
    "serviced": Point(0, "date"),
    "started": Point(0, "dateTime"),
    "cycle": Point(0, "duration"),
    "shift": Point(0, "time"),
    "position": Point(0, "object"),
    "spectrum": Point(0, "array"),
    "tags": Point(0, "map"),
}


def copy_of(points: dict[str, Point], twin: str, series: SeriesTable) -> dict[str, Point]:
    return {
        path: Point(
            series.id(twin, path),
            p.kind,
            p.minimum,
            p.maximum,
            p.scale,
            p.offset,
            p.values,
            p.unit,
        )
        for path, p in points.items()
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
        self.points.set_twin(twin, copy_of(points, twin, self.series), open=is_open)

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
