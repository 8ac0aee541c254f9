"""Which registers are read together: neighbours in one request, fewer where that is refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from gemel.connect.modbus.codec import read_request
from gemel.connect.modbus.registers import OF_BITS, Register
from gemel.connect.modbus.values import Reading
from gemel.core.message import Sample
from gemel.core.quality import Quality

BITS = 16
"""In place of one register, of tables of bits."""


@dataclass(slots=True, eq=False)
class Point:
    """A register that is read, and how it is."""

    register: Register
    topic: str
    problem: str = ""
    """Why it is not read."""
    value: object = None
    time: int = 0
    """When it was last read, ns; 0 for never."""


@dataclass(slots=True, eq=False)
class Block:
    """What one request reads."""

    unit_id: int
    every: float
    points: list[Point]
    due: float = 0.0
    """By the clock of the loop."""
    is_refused: bool = False
    """It is one register, and the device does not have it."""
    first: int = field(init=False)
    end: int = field(init=False)
    request: bytes = field(init=False)
    reading: Reading = field(init=False)

    def __post_init__(self) -> None:
        registers = [one.register for one in self.points]
        self.first = registers[0].address
        self.end = max(one.end for one in registers)
        self.request = read_request(registers[0].table, self.first, self.end - self.first)
        self.reading = Reading(registers, self.first)

    @property
    def place(self) -> str:
        table, last = self.points[0].register.table, self.end - 1
        to = f" to {last}" if last > self.first else ""
        return f"unit {self.unit_id}, {table} {self.first}{to}"

    def rows(self, data: bytes, time: int) -> dict[str, list[Sample]]:
        """What an answer says, by topic.

        Cost: about 0.7 us a value.
        """
        found: dict[str, list[Sample]] = {}
        for point, value in zip(self.points, self.reading.values(data), strict=True):
            point.value, point.time, point.problem = value, time, ""
            register = point.register
            quality = Quality.GOOD if value is not None else Quality.BAD
            row = Sample(register.name, value, time, quality, register.unit)
            rows = found.get(point.topic)
            if rows is None:
                rows = found[point.topic] = []
            rows.append(row)
        return found

    def split(self) -> list[Block]:
        """Two smaller ones, parted where most lies unused, else in the middle; or itself."""
        if len(self.points) < 2:
            return [self]
        reach, widest, where = 0, 0, 0
        for place, point in enumerate(self.points):
            gap = point.register.address - reach
            if place and gap > widest:
                widest, where = gap, place
            reach = max(reach, point.register.end)
        where = where or len(self.points) // 2
        return [
            Block(self.unit_id, self.every, points, self.due)
            for points in (self.points[:where], self.points[where:])
        ]


def blocks_of(points: Iterable[Point], largest: int, gap: int) -> list[Block]:
    """The requests that read all, each as long as it may be.

    Args:
        largest: registers of one request; of bits 16 times as many.
        gap: registers that may lie unused between two; of bits the same.
    """

    def kind(point: Point) -> tuple[int, str, float]:
        return point.register.unit_id, point.register.table, point.register.every

    found: list[Block] = []
    by_address = sorted(points, key=lambda p: (kind(p), p.register.address, p.register.end))
    for (unit_id, table, every), group in groupby(by_address, kind):
        times = BITS if table in OF_BITS else 1
        parts = _parted(list(group), times * largest, times * gap)
        found += [Block(unit_id, every, part) for part in parts]
    return found


def _parted(points: Sequence[Point], largest: int, gap: int) -> list[list[Point]]:
    parts: list[list[Point]] = []
    end = first = 0
    for point in points:
        register = point.register
        reach = max(end, register.end)
        if not parts or register.address - end > gap or reach - first > largest:
            parts.append([])
            first, reach = register.address, register.end
        parts[-1].append(point)
        end = reach
    return parts
