"""Rows of the tables that OData shows, in the order of their keys.

Everything is read through the platform as it is given, which hides what policies hide.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.api.odata_filter import Bound
from gemel.app import views
from gemel.app.directory import Page, Wanted
from gemel.app.values import shown_series, typed
from gemel.core.batch import Columns
from gemel.core.clock import from_iso
from gemel.core.document import Json
from gemel.core.quality import is_bad

if TYPE_CHECKING:
    from gemel.app.platform import Platform

Row = dict[str, Any]
Key = tuple[Any, ...]
Call = Callable[[], Any]
Rows = Generator[Row | Call | None, Any, None]
"""Rows; a call that waits for the disk, of which the result is sent back; None to pause."""
PAUSE = 500
"""Twins that are looked at between pauses."""
CHUNK = 10_000
"""Rows that are made at once."""
MOST_TOGETHER = 64
"""Series of which the first readings are read in one turn."""
EVER = (0, 1 << 62)


@dataclass(frozen=True)
class Asked:
    """What a source of rows is told, so that it need not make rows that are not wanted."""

    platform: Platform
    after: Key | None = None
    """Rows up to this key were given already."""
    bounds: tuple[Bound, ...] = ()
    """They hold of all that is wanted."""
    most: int = CHUNK
    """More than so many rows are probably not wanted."""

    def among(self, name: str) -> set[Any] | None:
        """The values that a property may have; None for any."""
        found: set[Any] | None = None
        for bound in self.bounds:
            if bound.name == name and bound.operator in ("eq", "in"):
                values = set(bound.value) if bound.operator == "in" else {bound.value}
                found = values if found is None else found & values
        return found

    def span(self, name: str) -> tuple[int, int]:
        """From and (exclusive) to of a time."""
        low, high = EVER
        for bound in self.bounds:
            if bound.name != name:
                continue
            values = bound.value if bound.operator == "in" else (bound.value,)
            if bound.operator in ("eq", "in", "ge", "gt"):
                low = max(low, min(values) + (bound.operator == "gt"))
            if bound.operator in ("eq", "in", "le", "lt"):
                high = min(high, max(values) + (bound.operator != "lt"))
        return min(low, EVER[1]), max(high, EVER[0])


def _time(text: str | None) -> int | None:
    return from_iso(text) if text else None


def _wanted(every: Sequence[str], asked: Asked, name: str, place: int = 0) -> Sequence[str]:
    """Which of sorted names are asked for, from the one on that the last row had."""
    among = asked.among(name)
    chosen = every
    if among is not None:
        places = ((bisect_left(every, one), one) for one in sorted(among))
        chosen = [one for at, one in places if at < len(every) and every[at] == one]
    if asked.after is None:
        return chosen
    find = bisect_right if len(asked.after) == 1 else bisect_left
    return chosen[find(chosen, asked.after[place]) :]


# ---- twins, models, relationships, alarms ---------------------------------------------------


def twins(asked: Asked) -> Rows:
    platform = asked.platform
    now, directory = platform.clock(), platform.directory
    among = asked.among("Id")
    known = directory.ids()
    if among is not None and len(among) < CHUNK:
        for twin in _wanted(known, asked, "Id"):
            yield _twin(platform, views.row(platform, views.line_of(platform, twin, now), now))
        return
    start = bisect_right(known, asked.after[0]) if asked.after else 0
    size = min(asked.most, CHUNK) if not asked.bounds else CHUNK
    while True:
        found = directory.find(Wanted(), Page(limit=size, offset=start))
        for line in found.lines:
            if line.id in platform.graph.twins:
                yield _twin(platform, views.row(platform, line, now))
        start += size
        if start >= found.total:
            return


def _twin(platform: Platform, row: Json) -> Row:
    alarms = row["alarms"]
    return {
        "Id": row["id"],
        "Name": row["name"],
        "ModelId": row["model"],
        "ModelName": row["modelName"],
        "ParentId": row["parent"],
        "Status": row["status"],
        "LastSeen": _time(row["lastSeen"]),
        "ActiveAlarms": alarms["active"],
        "UnacknowledgedAlarms": alarms["unacknowledged"],
        "WorstPriority": row["worst"],
    }


def models(asked: Asked) -> Rows:
    graph = asked.platform.graph
    for key in _wanted(sorted(graph.models), asked, "Id"):
        record = graph.records[key]
        yield {
            "Id": key,
            "Name": graph.models[key].title,
            "IsDecommissioned": record.is_decommissioned,
            "UploadTime": _time(record.upload_time),
        }


def relationships(asked: Asked) -> Rows:
    graph = asked.platform.graph
    targets = asked.among("TargetId")
    if targets is not None and asked.among("SourceId") is None:
        sources = sorted({link.source for key in targets for link in graph.incoming(key)})
    else:
        sources = list(asked.platform.directory.ids())
    for number, source in enumerate(_wanted(sources, asked, "SourceId")):
        if number % PAUSE == 0:
            yield None
        for link in sorted(graph.outgoing(source), key=lambda one: one.id):
            if asked.after is None or (source, link.id) > asked.after:
                yield {
                    "SourceId": source,
                    "Id": link.id,
                    "Name": link.name,
                    "TargetId": link.target,
                }


def alarms(asked: Asked) -> Rows:
    twins = asked.among("TwinId")
    find = asked.platform.reactions.alarms.find
    only = next(iter(twins)) if twins and len(twins) == 1 else None
    found = {doc["id"]: doc for doc in find(state="all", twin=only, limit=1 << 31)}
    for key in _wanted(sorted(found), asked, "Id"):
        yield _alarm(found[key])


def _alarm(doc: Json) -> Row:
    value = doc.get("value")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {
        "Id": doc["id"],
        "TwinId": doc["twin"],
        "Rule": doc["rule"],
        "Title": doc["title"],
        "Priority": doc["priority"],
        "State": doc["state"],
        "IsActive": doc["isActive"],
        "Condition": doc.get("condition"),
        "Property": doc.get("property"),
        "Value": value if is_number else None,
        "Unit": doc.get("unit"),
        "Raised": _time(doc["raised"]),
        "Cleared": _time(doc.get("cleared")),
        "Acknowledged": _time(doc.get("acknowledged")),
        "AcknowledgedBy": doc.get("acknowledgedBy"),
        "Occurrences": doc["occurrences"],
    }


# ---- values and readings --------------------------------------------------------------------


@dataclass(frozen=True)
class _Source:
    """What stands for a property of a twin."""

    twin: str
    path: str
    series: int
    unit: str
    provenance: str
    kind: str


def _sources(asked: Asked) -> Iterator[_Source | None]:
    platform = asked.platform
    keys, catalogue = platform.series.keys, platform.catalogue
    paths = asked.among("Property")
    for number, twin in enumerate(_wanted(platform.directory.ids(), asked, "TwinId")):
        if number % PAUSE == 0:
            yield None
        for path in sorted({keys[number].path for number in platform.series.of_twin(twin)}):
            if paths is not None and path not in paths:
                continue
            if asked.after is not None and (twin, path) < asked.after[:2]:
                continue
            series = shown_series(platform, twin, path)
            if series is not None:
                kind = catalogue.kind_of(twin, path)
                unit, provenance = catalogue.unit_of(twin, path), keys[series].provenance
                yield _Source(twin, path, series, unit, provenance, kind)


def values(asked: Asked) -> Rows:
    state = asked.platform.state
    for one in _sources(asked):
        if one is None:
            yield None
            continue
        latest = state.get(one.series)
        if latest is None or (one.twin, one.path) == asked.after:
            continue
        yield {
            **_shown(latest.value, latest.text, one.kind),
            "TwinId": one.twin,
            "Property": one.path,
            "Time": int(latest.time),
            "Unit": one.unit,
            "Quality": _quality(latest.quality),
            "Provenance": one.provenance,
        }


def _shown(value: float, text: str | None, kind: str) -> Row:
    """A value as number and as text; a boolean is 0 or 1."""
    is_number = text is None and np.isfinite(value)
    found = typed(value, text, kind)
    words = found if isinstance(found, str) else text
    return {"Value": float(value) if is_number else None, "Text": words}


def _quality(code: int) -> str:
    return "bad" if is_bad(code) else "uncertain" if code else "good"


def readings(asked: Asked) -> Rows:
    """Of several values of one time the one that counts, the last to arrive."""
    group: list[_Source] = []
    width = 1
    for one in _sources(asked):
        if one is None:
            yield None
            continue
        group.append(one)
        if len(group) == width:  # series that are short are asked for many at a time
            yield from _of_group(asked, group)
            group, width = [], min(2 * width, MOST_TOGETHER)
    yield from _of_group(asked, group)


def _of_group(asked: Asked, group: list[_Source]) -> Rows:
    history = asked.platform.history
    low, high = asked.span("Time")
    size = max(min(asked.most, CHUNK), 2)
    starts = [_start(asked, one, low) for one in group]

    def first() -> list[Columns]:
        pairs = zip(group, starts, strict=True)
        return [history.read(one.series, at, high, bad=True, limit=size) for one, at in pairs]

    firsts = yield first if group else None
    for one, found in zip(group, firsts or (), strict=True):
        while len(found):
            is_whole, last = len(found) < size, int(found.time[-1])
            if not is_whole:  # the readings of its last time may go on
                rest = yield partial(history.read, one.series, last, last + 1, bad=True)
                found = _joined(found, rest)
            yield from _rows(one, _last_of_each_time(found))
            if is_whole or last + 1 >= high:
                break
            found = yield partial(history.read, one.series, last + 1, high, bad=True, limit=size)


def _start(asked: Asked, one: _Source, low: int) -> int:
    """From when on readings of a series are wanted."""
    if asked.after is None or (one.twin, one.path) != asked.after[:2]:
        return low
    return max(low, int(asked.after[2]) + 1)


def _rows(one: _Source, columns: Columns) -> Iterator[Row]:
    fixed = {"TwinId": one.twin, "Property": one.path, "Time": 0, "Value": None, "Text": None}
    fixed |= {"Quality": "good", "Unit": one.unit, "Provenance": one.provenance}
    times, values = columns.time.tolist(), columns.value.tolist()
    finite, quality = np.isfinite(columns.value).tolist(), columns.quality.tolist()
    for n, time in enumerate(times):
        if finite[n] and not quality[n]:
            yield {**fixed, "Time": time, "Value": values[n]}
        else:
            shown = _shown(values[n], columns.text.get(n), one.kind)
            yield {**fixed, **shown, "Time": time, "Quality": _quality(quality[n])}


def _joined(found: Columns, last: Columns) -> Columns:
    """With all readings of the last time, of which perhaps not all were there."""
    keep = int(np.searchsorted(found.time, last.time[0])) if len(last) else len(found)
    text = {row: one for row, one in found.text.items() if row < keep}
    text |= {keep + row: one for row, one in last.text.items()}
    return Columns(
        np.concatenate((found.time[:keep], last.time)),
        np.concatenate((found.value[:keep], last.value)),
        np.concatenate((found.quality[:keep], last.quality)),
        np.concatenate((found.received[:keep], last.received)),
        text,
    )


def _last_of_each_time(found: Columns) -> Columns:
    is_last = np.ones(len(found), np.bool_)
    is_last[:-1] = found.time[1:] != found.time[:-1]
    if is_last.all():
        return found
    place = np.cumsum(is_last) - 1
    text = {int(place[row]): one for row, one in found.text.items() if is_last[row]}
    return Columns(
        found.time[is_last],
        found.value[is_last],
        found.quality[is_last],
        found.received[is_last],
        text,
    )
