"""The shapes a payload may have, brought to one: names to values, each set with its time.

See docs/reference/payloads.md for every form.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from gemel.ingest.decode import Route
from gemel.ingest.evenly import Evenly, columns_of, is_coded
from gemel.ingest.senml import Problem, Record, candidates, is_senml, resolve
from gemel.ingest.times import EARLIEST_T_NS, read_time

NO_TIME = object()
VALUE_NAMES = ("value", "v")
UNIT_NAMES = ("unit", "u")


class Piece(NamedTuple):
    """Values that hold at one moment."""

    values: dict[str, Any]
    time: Any = NO_TIME
    """As sent; `NO_TIME` is the moment of receipt."""
    unit: str = ""
    is_nanoseconds: bool = False
    """Whether `time` has been read already (None: it could not be expressed)."""
    problem: str = ""
    """Why this part could not be read; `values` then shows it."""


def pieces(
    data: Any, route: Route, received: int, content_type: str, limit: int
) -> Iterator[Piece | Evenly]:
    """The parts of a decoded payload; columns that were coded are whole, and not after `limit`.

    Raises:
        Problem: the payload as a whole has no form that is known.
    """
    if "n" not in route.entry.points and is_senml(data, content_type):
        for record in resolve(data, received):
            yield _of_record(record, route)
    elif route.name:
        yield from _of_named(data, route)
    elif type(data) is dict:
        if is_coded(data, route.entry.points):
            name = time_name(data, route)
            yield from columns_of(data, data.get(name), name, limit)
        else:
            yield from _of_object(data, route)
    elif type(data) is list:
        yield from _of_list(data, route)
    elif route.fallback:
        yield Piece({route.fallback: data})
    else:
        raise Problem("a bare value, and the topic does not say of what")


def _of_record(record: Record, route: Route) -> Piece:
    points = route.entry.points
    fields = route.binding.fields if route.binding else {}
    names = candidates(record) or [route.name]
    name = next((n for n in names if n in points or n in fields), names[-1])
    if not name:
        return Piece({"": record.value}, problem="a SenML record without a name")
    if record.is_sum:
        if f"{name}.sum" not in points and not route.entry.is_open:
            return Piece({})
        name = f"{name}.sum"
    return Piece({name: record.value}, record.time, record.unit, is_nanoseconds=True)


def _of_list(data: list[Any], route: Route) -> Iterator[Piece]:
    for item in data:
        if type(item) is dict:
            yield from _of_object(item, route)
        else:
            yield Piece({"": item}, problem="an array holds something that is no object")


def _of_object(data: dict[str, Any], route: Route) -> Iterator[Piece]:
    points = route.entry.points
    name = time_name(data, route)
    if name and type(data[name]) is list:
        yield from _of_columns(data, name)
        return
    moment = data[name] if name else NO_TIME
    rest = {k: v for k, v in data.items() if k != name} if name else data
    if name == "ts" and len(rest) == 1 and type(rest.get("values")) is dict:
        yield Piece(rest["values"], moment)
        return
    rows = rest.get("r")
    if type(rows) is list and "r" not in points and any(map(_is_row, rows)):
        for row in rows:
            if _is_row(row):
                yield Piece({row[0]: row[2]}, row[1])
            else:
                yield Piece({"r": row}, problem="a row is [name, time, value]")
        rest = {k: v for k, v in rest.items() if k != "r" and (k != "id" or "id" in points)}
    if rest:
        yield Piece(rest, moment)


def _is_row(row: Any) -> bool:
    return type(row) is list and len(row) == 3 and type(row[0]) is str


def _of_columns(data: dict[str, Any], name: str) -> Iterator[Piece]:
    times = data[name]
    columns = {k: v for k, v in data.items() if k != name}
    for column, values in columns.items():
        if type(values) is not list or len(values) != len(times):
            raise Problem(
                f"column '{column}' must be an array of {len(times)} values, as '{name}' is"
            )
    for column, values in columns.items():
        for moment, value in zip(times, values, strict=True):
            yield Piece({column: value}, moment)


def _of_named(data: Any, route: Route) -> Iterator[Piece]:
    """The topic names the property: a bare value, or an object that holds it."""
    point = route.entry.points.get(_path(route))
    kind = point.kind if point else ""
    if type(data) is list and kind != "array" and data and all(type(i) is dict for i in data):
        for item in data:
            yield from _of_named(item, route)
        return
    if type(data) is not dict or kind in ("object", "map"):
        yield Piece({route.name: data})
        return
    name = time_name(data, route)
    moment = data[name] if name else NO_TIME
    holder = next((n for n in VALUE_NAMES if n in data), "")
    if holder:
        unit = next((data[n] for n in UNIT_NAMES if type(data.get(n)) is str), "")
        yield Piece({route.name: data[holder]}, moment, unit)
        return
    rest = {k: v for k, v in data.items() if k != name}
    if rest:
        yield Piece({route.name: rest}, moment)


def _path(route: Route) -> str:
    mapped = route.binding.fields.get(route.name) if route.binding else None
    return mapped.property if mapped else route.name


def time_name(data: dict[str, Any], route: Route) -> str:
    """The name under which an object carries its time, "" if it carries none."""
    for name in route.time_names:
        if name not in data or name in route.entry.points:
            continue
        if name == "t" and type(data[name]) is not list:
            moment = read_time(data[name])
            if moment is None or moment < EARLIEST_T_NS:
                continue
        return name
    return ""
