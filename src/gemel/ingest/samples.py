"""Values that came with times and qualities of their own: taken into columns, no payload read."""

from __future__ import annotations

from math import isfinite

from gemel.core.message import Sample, Samples
from gemel.core.quality import is_bad
from gemel.ingest.columns import NAN
from gemel.ingest.decode import Route
from gemel.ingest.forms import Piece
from gemel.ingest.intake import Intake


def take_samples(call: Intake, message: Samples, route: Route) -> None:
    """Takes one message of an allowed sender; never raises.

    Cost: about 1 us a value that is a number of a known twin; others go the careful way.
    """
    start = call.begin(message, route)
    columns, limit, first = call.columns, call.limit, route.first
    fraction, whole = route.source.named.fraction, route.source.named.whole
    slots, times, values, quality = columns.slots, columns.times, columns.values, columns.quality
    is_known = route.entry.is_known
    for row in message.rows:
        name, value, time, mark, unit = row
        kind = type(value)
        if is_known and not unit and 0 <= time <= limit:
            slot = None
            if kind is float and isfinite(value):
                slot = fraction.get(name)
            elif kind is int and (found := whole.get(name)) and found[1] <= value <= found[2]:
                slot = found[0]
            if slot is not None:
                if mark:
                    quality[len(slots)] = mark
                slots.append(first + slot)
                times.append(time)
                values.append(value)
                continue
        _take_carefully(call, row, route)
    call.end(message, route, start)


def _take_carefully(call: Intake, row: Sample, route: Route) -> None:
    columns = call.columns
    if not 0 <= row.time <= call.limit:
        call.bad_time(route, Piece({row.name: row.value}, row.time, is_nanoseconds=True), row.time)
        return
    start = len(columns)
    if row.value is None:
        if is_bad(row.quality):
            _take_nothing(call, row, route)
        return
    call.value(route, row.name, row.value, row.time, row.unit)
    if row.quality:
        for place in range(start, len(columns)):
            columns.quality[place] = max(row.quality, columns.quality.get(place, 0))


def _take_nothing(call: Intake, row: Sample, route: Route) -> None:
    """A bad reading without a value: it says from when on nothing is known."""
    path, binding = row.name, route.binding
    if binding is not None and (mapped := binding.fields.get(path)) is not None:
        path = mapped.property
    point = route.entry.points.get(path)
    if point is None:
        return
    columns = call.columns
    columns.quality[len(columns)] = row.quality
    columns.slots.append(route.entry.first + point.slot)
    columns.times.append(row.time)
    columns.values.append(NAN)
