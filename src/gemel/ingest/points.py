"""What a twin may report: each property's type, range and unit, and the slot that checks it.

All twins of a model share one `Layout`; a twin has the place of its block of slots.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from gemel.core import fast, units
from gemel.core.errors import InvalidInput
from gemel.ingest.slots import Check, Slots

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


class Shape(Protocol):
    """What an object, map or array must look like inside; two are alike if they are equal."""

    def fits(self, value: Any) -> bool:
        """Whether a value, of the right kind as a whole, is so inside too."""


@dataclass(frozen=True, slots=True)
class Point:
    """One property of a model, as one kind of source sends it.

    Units: `minimum` and `maximum` are in the property's `unit`; `scale` and `offset` bring what
    the source sends to that unit: y = x * scale + offset.
    """

    kind: str
    minimum: float = -math.inf
    maximum: float = math.inf
    scale: float = 1.0
    offset: float = 0.0
    values: frozenset[Any] | None = None
    """For `enum`: the allowed values."""
    unit: str = ""
    shape: Shape | None = None
    """For objects, maps and arrays; None takes whatever is inside."""
    slot: int = field(default=-1, compare=False, repr=False)
    """Counted from the first slot of the twin."""

    @property
    def check(self) -> Check:
        return Check(self.minimum, self.maximum, self.scale, self.offset)


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


class Layout:
    """What all twins of a model may report, by path; their slots have this order too.

    Args:
        points: by the name under which the value comes.
        paths: the property that each stands for, if its name is another.

    Raises:
        InvalidInput: a point's kind is unknown or its range or conversion makes no sense.
    """

    __slots__ = ("__weakref__", "named", "paths", "points", "shared")

    def __init__(self, points: Mapping[str, Point], paths: Sequence[str] | None = None) -> None:
        self.points: dict[str, Point] = {}
        self.paths = tuple(points) if paths is None else tuple(paths)
        self.named = Named()
        self.shared: dict[Any, Any] = {}
        """What is worked out from this for all its twins; see `decode.source_of`."""
        for slot, (path, point) in enumerate(points.items()):
            _check(path, point)
            self.add(path, replace(point, slot=slot))

    def equals(self, other: Layout) -> bool:
        return self is other or (self.paths == other.paths and self.points == other.points)

    def copy(self) -> Layout:
        """One for a twin alone, to which more can be added."""
        found = Layout({}, self.paths)
        for path, point in self.points.items():
            found.add(path, point)
        return found

    def add(self, path: str, point: Point) -> None:
        self.points[path] = point
        self.named.add(path, point)


class TwinPoints:
    """The points of one twin: those of its layout, from its first slot on."""

    __slots__ = ("first", "is_known", "is_open", "layout", "opened", "topics", "twin", "units")

    def __init__(
        self, twin: str, layout: Layout, first: int, *, is_open: bool, is_known: bool
    ) -> None:
        self.twin = twin
        self.layout = layout
        """Its own once names were opened that no model describes."""
        self.first = first
        self.is_open = is_open
        self.is_known = is_known
        self.units: dict[tuple[str, str], Point] | None = None
        """Points as seen by sources that report in another unit."""
        self.topics: set[str] | None = None
        """Topics whose routes point here, but for `topic_of` the twin, whose route may."""
        self.opened = 0
        """How many points were made for names that no model describes."""

    @property
    def points(self) -> dict[str, Point]:
        return self.layout.points

    @property
    def named(self) -> Named:
        return self.layout.named

    @property
    def own_slots(self) -> list[int]:
        """Those beside the twin's block."""
        size = len(self.layout.paths)
        beside = [p.slot for p in self.layout.points.values() if not 0 <= p.slot < size]
        beside += [p.slot for p in (self.units or {}).values()]
        return [self.first + slot for slot in beside]


class PointTable:
    """The points of all twins; the platform fills it from the models.

    Cost: about 140 bytes a twin and 8 a property of a twin.
    """

    def __init__(self) -> None:
        self.slots = Slots()
        self.stale: set[str] = set()
        """Topics whose routes point at twins that changed; `Ingest` empties it."""
        self.unknown_count = 0
        """How many devices are here that no model describes."""
        self._twins: dict[str, TwinPoints] = {}
        self._checks: WeakKeyDictionary[Layout, list[int]] = WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self._twins)

    def find(self, twin: str) -> TwinPoints | None:
        return self._twins.get(twin)

    def set_twin(
        self, twin: str, layout: Layout, series: Sequence[int], *, open: bool = False
    ) -> None:
        """Says what a twin may report, in place of what was said before.

        Args:
            twin: the twin's id.
            layout: what all twins of its model may report.
            series: the twin's series of each of the layout's `paths`.
            open: also take names that the layout does not have.
        """
        old = self._twins.get(twin)
        if old is not None and old.is_known and old.is_open == open and old.layout.equals(layout):
            return
        self.drop_twin(twin)
        checks = self._checks.get(layout)
        if checks is None:
            number = self.slots.checks.number
            checks = self._checks[layout] = [number(p.check) for p in layout.points.values()]
        first = self.slots.add(series, checks)
        self._twins[twin] = TwinPoints(twin, layout, first, is_open=open, is_known=True)

    def drop_twin(self, twin: str) -> None:
        """Forgets a twin; what it sends from now on is that of an unknown device."""
        entry = self._twins.pop(twin, None)
        if entry is None:
            return
        self._outdate(entry)
        self.unknown_count -= not entry.is_known
        self.slots.free(entry.first, len(entry.layout.paths))
        for slot in entry.own_slots:
            self.slots.free(slot)

    def _outdate(self, entry: TwinPoints) -> None:
        self.stale.add(topic_of(entry.twin))
        self.stale |= entry.topics or set()

    def unknown(self, twin: str) -> TwinPoints:
        """The (empty) entry of a device that no model describes."""
        entry = self._twins.get(twin)
        if entry is None:
            entry = TwinPoints(twin, Layout({}), 0, is_open=True, is_known=False)
            self._twins[twin] = entry
            self.unknown_count += 1
        return entry

    def open_point(
        self, entry: TwinPoints, path: str, series: int, base: Point | None = None
    ) -> Point:
        """A point for a name that no model describes, or for a quantile of the `base`."""
        if entry.is_known and not entry.opened:
            entry.layout = entry.layout.copy()
            self._outdate(entry)
        point = Point(OPEN)
        if base is not None:
            point = Point("double", base.minimum, base.maximum, unit=base.unit)
        point = self._placed(entry, point, series)
        entry.layout.add(path, point)
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
        known = entry.units = {} if entry.units is None else entry.units
        found = known.get((path, unit))
        if found is None:
            scale, offset = units.conversion(unit, point.unit)
            series = int(self.slots.series[entry.first + point.slot])
            found = self._placed(entry, replace(point, scale=scale, offset=offset), series)
            known[path, unit] = found
        return found

    def _placed(self, entry: TwinPoints, point: Point, series: int) -> Point:
        slot = self.slots.add([series], [self.slots.checks.number(point.check)])
        return replace(point, slot=slot - entry.first)


def topic_of(twin: str) -> str:
    """Where a twin's own telemetry comes."""
    return f"devices/{twin}/telemetry"


def _check(path: str, point: Point) -> None:
    place = f"property '{path}'"
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
