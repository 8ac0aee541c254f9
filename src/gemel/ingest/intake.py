"""The careful path: takes what can be taken of a message, and says why not of the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from gemel.core.batch import Reject
from gemel.core.errors import InvalidInput
from gemel.core.message import Message, Samples
from gemel.core.quality import Quality, worse
from gemel.core.series import MEASURED, SeriesTable, quantile_of
from gemel.ingest.columns import Columns
from gemel.ingest.decode import Route, take_object
from gemel.ingest.evenly import Evenly
from gemel.ingest.forms import NO_TIME, Piece, pieces
from gemel.ingest.judge import judge
from gemel.ingest.payload import FIRST_CBOR, decode, is_flat, show
from gemel.ingest.points import FRACTIONS, NUMBERS, OBJECTS, OPEN, Point, PointTable, TwinPoints
from gemel.ingest.senml import Problem
from gemel.ingest.sparkplug.session import Sign
from gemel.ingest.times import read_time

MOST_OPEN_NAMES = 1_000
LONGEST_NAME = 256
MOST_REJECTS = 1_000
"""Of one message; the last says how many more there were."""
LONGEST_SAMPLE = 200


@dataclass(slots=True)
class Unknown:
    """What a device sent in one call that no twin stands for."""

    topic: str
    sample: dict[str, Any] = field(default_factory=dict)
    """Newest value by name."""
    count: int = 0
    """Messages."""


class Intake:
    """What one call of `accept` collects."""

    def __init__(
        self, series: SeriesTable, points: PointTable, limit: int, provenance: str = MEASURED
    ) -> None:
        self.columns = Columns()
        self.rejects: list[Reject] = []
        self.seen: dict[str, int] = {}
        self.unknown: dict[str, Unknown] = {}
        self.other: list[Message] = []
        self.signs: list[Sign] = []
        self.limit = limit
        self._series = series
        self._points = points
        self._provenance = provenance
        self._message: Message | Samples
        self._sample: dict[str, Any] | None = None
        self._rejected = 0

    def take(self, message: Message, route: Route) -> None:
        """Takes one message of an allowed sender; never raises."""
        start = self.begin(message, route)
        try:
            data = decode(message.payload, message.content_type, text_allowed=bool(route.name))
            if self._take_flat(data, route, message):
                return
            data = _as_text(data, route, message.payload)
            kind = message.content_type
            for piece in pieces(data, route, message.received, kind, self.limit):
                if type(piece) is Evenly:
                    self._column(route, piece)
                else:
                    self._piece(route, cast("Piece", piece))
        except Problem as problem:
            raw = f"{problem}: {show(message.payload)}"
            self.reject(message, route.twin, "undecodable", raw=raw)
        self.end(message, route, start)

    def begin(self, message: Message | Samples, route: Route) -> int:
        """What follows is of this message; gives the row at which its readings begin."""
        self._message = message
        self._rejected = 0
        self._sample = None
        if not route.entry.is_known:
            unknown = self.unknown.setdefault(route.twin, Unknown(message.topic))
            unknown.count += 1
            self._sample = unknown.sample
        return len(self.columns)

    def end(self, message: Message | Samples, route: Route, start: int) -> None:
        """Counts what was too much, and notes that the twin was heard."""
        if self._rejected > MOST_REJECTS:
            more = self._rejected - MOST_REJECTS
            last = self.rejects[-1]
            self.rejects[-1] = Reject(
                last.time, last.received, last.twin, "", f"{more + 1} more like the one before",
                last.reason, last.source,
            )  # fmt: skip
        if len(self.columns) > start:
            self.seen[route.twin] = message.received

    def reading(
        self, route: Route, name: str, value: Any, moment: int, unit: str, quality: int
    ) -> None:
        """Takes one value of the message that was begun, at least as bad as its source says."""
        row = len(self.columns)
        self.value(route, name, value, moment, unit)
        if quality and len(self.columns) > row:
            self.columns.quality[row] = worse(self.columns.quality.get(row, 0), quality)

    def _take_flat(self, data: Any, route: Route, message: Message) -> bool:
        """CBOR that holds no more than common JSON does is taken as such."""
        if type(data) is not dict or message.payload[0] < FIRST_CBOR or route.name:
            return False
        if route.who is not message.who or not is_flat(data):
            return False
        if not take_object(route, data, message.received, self.columns, self.limit):
            return False
        self.seen[route.twin] = message.received
        return True

    def reject(
        self,
        message: Message | Samples,
        twin: str,
        reason: str,
        *,
        name: str = "",
        raw: str = "",
        time: int | None = None,
    ) -> None:
        self._rejected += 1
        if self._rejected > MOST_REJECTS:
            return
        self.rejects.append(
            Reject(
                message.received if time is None else time,
                message.received,
                twin,
                show(name),
                raw[:1000],
                reason,
                message.topic,
            )
        )

    def _piece(self, route: Route, piece: Piece) -> None:
        message = self._message
        if not piece.values:
            return
        if piece.problem:
            raw = f"{piece.problem}: {show(next(iter(piece.values.values())))}"
            self.reject(message, route.twin, "undecodable", raw=raw)
            return
        moment = message.received
        if piece.time is not NO_TIME:
            read = piece.time if piece.is_nanoseconds else read_time(piece.time)
            if read is None or not 0 <= read <= self.limit:
                self.bad_time(route, piece, read)
                return
            moment = read
        for name, value in piece.values.items():
            self.value(route, name, value, moment, piece.unit)

    def bad_time(self, route: Route, piece: Piece, read: int | None) -> None:
        name = next(iter(piece.values)) if len(piece.values) == 1 else ""
        late = read is not None and read > self.limit
        self.reject(
            self._message,
            route.twin,
            "far-future" if late else "before-1970",
            name=name,
            raw=f"{show(piece.time)[:100]}: {show(piece.values)}",
            time=read if late and read is not None and read < 2**63 else None,
        )

    def _column(self, route: Route, column: Evenly) -> None:
        """All values of one name at once."""
        if not len(column.value):
            return
        path, unit, entry, moment = column.name, "", route.entry, int(column.time[0])
        if route.binding is not None:
            mapped = route.binding.fields.get(path)
            if mapped is not None:
                path, unit = mapped.property, mapped.unit
            elif route.binding.only:
                return
        last = float(column.value[-1])
        point = entry.points.get(path) or self._open(route, column.name, path, last, moment)
        if point is None:
            return
        if point.kind not in FRACTIONS and point.kind != OPEN:
            raw = f"{len(column.value)} coded values; a {point.kind} is not within a bound"
            self.reject(self._message, entry.twin, "wrong-type", name=path, raw=raw, time=moment)
            return
        try:
            point = self._points.in_unit(entry, path, unit) if unit else point
        except InvalidInput as problem:
            raw = f"{len(column.value)} coded values {unit}: {problem}"
            self.reject(self._message, entry.twin, "wrong-unit", name=path, raw=raw, time=moment)
            return
        self.columns.extend(entry.first + point.slot, column.time, column.value)
        if self._sample is not None:
            self._sample[path] = last

    def value(self, route: Route, name: str, value: Any, moment: int, unit: str = "") -> None:
        """One value under its source name; objects that are no property are gone into."""
        if value is None:
            return
        path = name
        if route.binding is not None:
            mapped = route.binding.fields.get(name)
            if mapped is not None:
                path, unit = mapped.property, mapped.unit or unit
            elif route.binding.only and type(value) is not dict:
                return
        entry = route.entry
        point = entry.points.get(path)
        if type(value) is dict and (point is None or point.kind == OPEN):
            for key, inner in value.items():
                self.value(route, f"{name}.{key}", inner, moment, unit)
            return
        if point is None:
            point = self._open(route, name, path, value, moment)
            if point is None:
                return
        if type(value) is dict and point.kind not in OBJECTS and "value" in value:
            inner_unit = value.get("unit")
            unit = inner_unit if type(inner_unit) is str else unit
            value = value["value"]
        self._judge(route.entry, path, point, value, moment, unit)

    def _judge(
        self, entry: TwinPoints, path: str, point: Point, value: Any, moment: int, unit: str
    ) -> None:
        if unit:
            try:
                point = self._points.in_unit(entry, path, unit)
            except InvalidInput as problem:
                raw = f"{show(value)} {unit}: {problem}"
                self.reject(
                    self._message, entry.twin, "wrong-unit", name=path, raw=raw, time=moment
                )
                return
        verdict = judge(point, value)
        if verdict.reason:
            raw = show(value)
            self.reject(self._message, entry.twin, verdict.reason, name=path, raw=raw, time=moment)
            return
        columns = self.columns
        if verdict.text is not None:
            columns.text[len(columns)] = verdict.text
        if verdict.is_outside:
            columns.quality[len(columns)] = Quality.OUT_OF_RANGE
        columns.slots.append(entry.first + point.slot)
        columns.times.append(moment)
        columns.values.append(verdict.value)
        if self._sample is not None:
            self._sample[path] = _sample(value)

    def _open(self, route: Route, name: str, path: str, value: Any, moment: int) -> Point | None:
        """A point for a name that no model describes, if the twin takes such."""
        entry = route.entry
        reason = ""
        base = self._quantile_base(route, path)
        if (
            (base is None and not entry.is_open)
            or not path
            or len(path) > LONGEST_NAME
            or not path.isprintable()
        ):
            reason = "unknown-property"
        elif entry.opened >= MOST_OPEN_NAMES:
            reason = "too-many"
        if reason:
            raw = show(value)
            self.reject(
                self._message, route.twin, reason, name=path[:LONGEST_NAME], raw=raw, time=moment
            )
            return None
        number = self._series.id(route.twin, path, self._provenance)
        point = self._points.open_point(entry, path, number, base)
        source = route.source
        if source.is_mapped:
            source.named.add(name, point)
        source.keys = ()
        return point

    def _quantile_base(self, route: Route, path: str) -> Point | None:
        """The property that `path` names a quantile of, if the model has it as a number."""
        found = quantile_of(path)
        base = route.entry.points.get(found[0]) if found is not None else None
        return base if base is not None and base.kind in NUMBERS else None


def _as_text(data: Any, route: Route, payload: bytes) -> Any:
    """A bare number on the topic of a string property is that string."""
    if route.name and type(data) in (int, float, bool):
        point = route.entry.points.get(route.name)
        if point is not None and point.kind == "string":
            return payload.decode(errors="replace").strip()
    return data


def _sample(value: Any) -> Any:
    if type(value) in (int, float, bool):
        return value
    if type(value) is str:
        return value[:LONGEST_SAMPLE]
    return show(value)[:LONGEST_SAMPLE]
