"""What a twin may report: each property's type, range and unit, and the slot that checks it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gemel.core import fast, units
from gemel.core.errors import InvalidInput
from gemel.ingest.slots import Slots

FRACTIONS = frozenset({"double", "float", "decimal"})
WHOLE: dict[str, tuple[int, int]] = {
    "byte": (-(2**7), 2**7 - 1),
    "short": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
    "unsignedByte": (0, 2**8 - 1),
    "unsignedShort": (0, 2**16 - 1),
    "unsignedInteger": (0, 2**32 - 1),
    "unsignedLong": (0, 2**64 - 1),
}
"""Kinds of whole numbers, lowest and highest."""

NUMBERS = FRACTIONS | WHOLE.keys()
TEXTS = frozenset({"string", "enum", "date", "dateTime", "duration", "time", "uuid", "bytes"})
SHAPES = frozenset(
    {"point", "lineString", "polygon", "multiPoint", "multiLineString", "multiPolygon"}
)
OBJECTS = frozenset({"object", "map"}) | SHAPES
TREES = OBJECTS | {"array"}
EXACT = 2**53
"""Whole numbers up to here are exact as float64."""
OPEN = "open"
"""The kind of a property that no model describes: every number, boolean, text or array is taken."""

KINDS = NUMBERS | TEXTS | TREES | {"boolean", OPEN}


@dataclass(slots=True)
class Point:
    """One property of one twin.

    Units: `minimum` and `maximum` are in the property's `unit`; `scale` and `offset` bring what
    the source sends to that unit: y = x * scale + offset.
    """

    series: int
    kind: str
    minimum: float = -math.inf
    maximum: float = math.inf
    scale: float = 1.0
    offset: float = 0.0
    values: frozenset[Any] | None = None
    """For `enum`: the allowed values."""
    unit: str = ""
    slot: int = field(default=-1, init=False, compare=False, repr=False)


class Named:
    """Source names to slots, one table for each class of value: what the common path looks up."""

    __slots__ = ("boolean", "fraction", "table", "text", "whole")

    def __init__(self) -> None:
        self.table = fast.Names()
        """The same for the compiled path; names of texts are in it, for they are no others'."""
        self.fraction: dict[str, int] = {}
        self.whole: dict[str, tuple[int, int, int]] = {}
        """Slot, lowest and highest value."""
        self.boolean: dict[str, int] = {}
        self.text: dict[str, Point] = {}

    def add(self, name: str, point: Point) -> None:
        """Enters a point under a source name in the tables that suit its kind."""
        kind = point.kind
        classes = low = high = 0
        if kind in FRACTIONS or kind == OPEN:
            self.fraction[name] = point.slot
            classes |= fast.FRACTION
        if kind == "boolean" or kind == OPEN:
            self.boolean[name] = point.slot
            classes |= fast.BOOLEAN
        if kind in WHOLE:
            low, high = WHOLE[kind]
            low, high = max(low, 1 - EXACT), min(high, EXACT - 1)
            self.whole[name] = (point.slot, low, high)
            classes |= fast.WHOLE
        if kind in ("string", "enum") or kind == OPEN:
            self.text[name] = point
        self.table.add(name, point.slot, classes, low, high)


class TwinPoints:
    """The points of one twin."""

    __slots__ = ("is_known", "is_open", "named", "opened", "points", "topics", "twin", "units")

    def __init__(self, twin: str, *, is_open: bool, is_known: bool) -> None:
        self.twin = twin
        self.is_open = is_open
        self.is_known = is_known
        self.points: dict[str, Point] = {}
        self.units: dict[tuple[str, str], Point] = {}
        """Points as seen by sources that report in another unit."""
        self.named = Named()
        self.topics: set[str] = set()
        """Topics whose routes point here."""
        self.opened = 0
        """How many points were made for names that no model describes."""


class PointTable:
    """The points of all twins; the platform fills it from the models."""

    def __init__(self) -> None:
        self.slots = Slots()
        self.stale: set[str] = set()
        """Topics whose routes point at twins that changed; `Ingest` empties it."""
        self.unknown_count = 0
        """How many devices are here that no model describes."""
        self._twins: dict[str, TwinPoints] = {}

    def __len__(self) -> int:
        return len(self._twins)

    def find(self, twin: str) -> TwinPoints | None:
        return self._twins.get(twin)

    def set_twin(self, twin: str, points: Mapping[str, Point], *, open: bool = False) -> None:
        """Says what a twin may report, in place of what was said before.

        Args:
            twin: the twin's id.
            points: by property path.
            open: also take names that are not among `points`.

        Raises:
            InvalidInput: a point's kind is unknown or its range or conversion makes no sense.
        """
        old = self._twins.get(twin)
        if old is not None and old.is_known and old.is_open == open and old.points == points:
            return
        for path, point in points.items():
            _check(twin, path, point)
        self.drop_twin(twin)
        entry = TwinPoints(twin, is_open=open, is_known=True)
        for path, point in points.items():
            self._place(point)
            entry.points[path] = point
            entry.named.add(path, point)
        self._twins[twin] = entry

    def drop_twin(self, twin: str) -> None:
        """Forgets a twin; what it sends from now on is that of an unknown device."""
        entry = self._twins.pop(twin, None)
        if entry is None:
            return
        self.stale |= entry.topics
        self.unknown_count -= not entry.is_known
        for point in (*entry.points.values(), *entry.units.values()):
            self.slots.free(point.slot)

    def unknown(self, twin: str) -> TwinPoints:
        """The (empty) entry of a device that no model describes."""
        entry = self._twins.get(twin)
        if entry is None:
            entry = self._twins[twin] = TwinPoints(twin, is_open=True, is_known=False)
            self.unknown_count += 1
        return entry

    def open_point(
        self, entry: TwinPoints, path: str, series: int, base: Point | None = None
    ) -> Point:
        """A point for a name that no model describes, or for a quantile of the `base`."""
        point = Point(series, OPEN)
        if base is not None:
            point = Point(series, "double", base.minimum, base.maximum, unit=base.unit)
        self._place(point)
        entry.points[path] = point
        entry.named.add(path, point)
        entry.opened += 1
        return point

    def in_unit(self, entry: TwinPoints, path: str, unit: str) -> Point:
        """The point as a source sees it that reports in `unit`.

        Raises:
            InvalidInput: the unit cannot be converted to the property's.
        """
        point = entry.points[path]
        if not unit or not point.unit or unit == point.unit or point.kind not in NUMBERS:
            return point
        found = entry.units.get((path, unit))
        if found is None:
            scale, offset = units.conversion(unit, point.unit)
            found = replace(point, scale=scale, offset=offset)
            self._place(found)
            entry.units[path, unit] = found
        return found

    def _place(self, point: Point) -> None:
        point.slot = self.slots.add(
            point.series, point.minimum, point.maximum, point.scale, point.offset
        )


def _check(twin: str, path: str, point: Point) -> None:
    place = f"'{path}' of twin '{twin}'"
    if point.kind not in KINDS:
        raise InvalidInput(
            f"{place} has the unknown kind '{point.kind}'",
            hint="known kinds: " + ", ".join(sorted(KINDS)),
        )
    if math.isnan(point.minimum) or math.isnan(point.maximum) or point.minimum > point.maximum:
        raise InvalidInput(
            f"{place} has the range {point.minimum} to {point.maximum}",
            hint="the minimum must not lie above the maximum",
        )
    if not (math.isfinite(point.scale) and math.isfinite(point.offset)) or point.scale == 0:
        raise InvalidInput(
            f"{place} converts by {point.scale} and {point.offset}",
            hint="scale and offset must be finite, and the scale not zero",
        )
