"""One property of all twins at once, in numpy columns that are kept between queries.

A `Table` holds the twins in order of id. A `Column` holds one path of all of them: numbers in an
array, everything else as a code into a list of distinct values, so that a condition is judged once
for each distinct value. Device values are laid over it when it is read. After edits only the rows
that changed are read again; this is found by comparing twins by identity, as a twin never changes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import I32, I64
from gemel.core.document import Json
from gemel.twins.dtdl.interface import Interface
from gemel.twins.graph import Graph
from gemel.twins.query.cells import EXACT, IS_NUMBER, IS_UNDEFINED, Cells, Distinct, Steps
from gemel.twins.query.meter import Meter
from gemel.twins.query.reading import Live, Place, Places, Reader, typed
from gemel.twins.query.values import walk
from gemel.twins.records import Twin, value_time
from gemel.twins.state import LastValue

MOST_COLUMNS = 64
PIECE = 500
"""Rows that are read before others have their turn: about two milliseconds."""
MOST_PATCHED = 1_000
"""Changed twins that are taken in one by one."""
COMPUTED = (("$dtId",), ("$etag",), ("$metadata", "$model"))
Pauses = Generator[None, None, None]


def is_columnar(steps: tuple[str, ...]) -> bool:
    """Whether a path is kept as a column."""
    return bool(steps) and (steps in COMPUTED or not steps[0].startswith("$"))


@dataclass(slots=True)
class Column:
    """The stored values of one path, and which series may show later ones."""

    twins: list[Twin]
    """What it was read from, row by row."""
    cells: Cells
    series: I32
    """-1 where no single series belongs to the value."""
    since: I64
    """ns: a device value counts if it is later."""
    is_boolean: NDArray[np.bool_]
    nested: dict[int, tuple[int, ...]]
    """Row to the series of values that are parts of others."""
    seen: int
    """How many series there were."""
    models: dict[str, Interface | None] = field(default_factory=dict)
    """What each model was when its twins were read."""


class Table:
    """Twins in order of id with columns of their values."""

    def __init__(
        self, graph: Graph, live: Live | None, places: Places, nearby: Table | None = None
    ) -> None:
        self._graph = graph
        self._live = live
        self._nearby = nearby
        """A table of much the same twins, whose columns are taken over for those."""
        self._places = places
        self._version = -1
        self.ids: list[str] = []
        self.twins: list[Twin] = []
        self._columns: dict[tuple[str, ...], Column] = {}
        self._changes: tuple[list[Twin], list[Twin], list[int]] | None = None
        self._moves: tuple[list[Twin], list[Twin], I64] | None = None

    def refresh(self) -> None:
        """Takes in what was edited since; the lists are replaced, never changed."""
        if self._version == self._graph.version or self._patched():
            return
        twins = self._graph.all_twins()
        same = list(map(twins.get, self.ids)) if len(twins) == len(self.ids) else [None]
        if all(same):
            self.twins = same  # type: ignore[assignment]
        else:
            self.ids = sorted(twins)
            self.twins = list(map(twins.__getitem__, self.ids))
        self._version = self._graph.version

    def _patched(self) -> bool:
        """Takes in a few changed twins without looking at the others; false if that cannot be."""
        graph = self._graph
        changed = graph.twins_changed_since(self._version)
        if changed is None or len(changed) > MOST_PATCHED:
            return False
        twins, rows = list(self.twins), set()
        for key in changed:
            row, twin = bisect_left(self.ids, key), graph.find_twin(key)
            is_there = row < len(self.ids) and self.ids[row] == key
            if is_there != (twin is not None):
                return False
            if twin is not None:
                twins[row] = twin
                rows.add(row)
        if rows:
            self._changes = (self.twins, twins, sorted(rows))
            self.twins = twins
        self._version = graph.version
        return True

    # ---- columns -------------------------------------------------------------------------

    def prepare(self, paths: set[tuple[str, ...]], meter: Meter) -> Pauses:
        """Brings the columns of some paths up to date; on return all are of the same moment."""
        while True:
            self.refresh()
            stale = [p for p in paths if not self._is_current(p)]
            if not stale:
                if self._live is None or (yield from self._load(paths)):
                    return
                continue
            yield from self._bring(stale, paths, meter)

    def _load(self, paths: set[tuple[str, ...]]) -> Generator[None, None, bool]:
        """Has the last values at hand that these columns need; true if no time went by."""
        assert self._live is not None, "asked before"
        is_at_once = True
        for path in paths:
            column = self._columns[path]
            parts = [number for numbers in column.nested.values() for number in numbers]
            single = column.series[column.series >= 0]
            for _ in self._live.load(np.concatenate([single, np.array(parts, np.int32)])):
                is_at_once = False
                yield
        return is_at_once

    def _is_current(self, path: tuple[str, ...]) -> bool:
        column = self._columns.get(path)
        return (
            column is not None
            and column.twins is self.twins
            and (self._live is None or column.seen == len(self._live.series))
            and self._has_models_of_now(column)
        )

    def _has_models_of_now(self, column: Column) -> bool:
        """Whether the models are still those that it was read with; one may be uploaded anew."""
        find = self._graph.find_model
        return all(find(model) is interface for model, interface in column.models.items())

    def _bring(self, paths: list[Steps], wanted: set[Steps], meter: Meter) -> Pauses:
        """Brings columns up to date together, so that each twin is decoded once for all."""
        twins, work = self.twins, list[tuple[Steps, Column, list[int]]]()
        for path in paths:
            old = self._columns.pop(path, None)
            if old is not None and not self._has_models_of_now(old):
                old = None
            if old is None and self._nearby is not None:
                yield from self._nearby.prepare({path}, meter)
                near = self._nearby._columns[path]
                column, rows = self._moved(near, twins, path, near.seen)
            else:
                column, rows = self._aligned(old, twins, path)
            work.append((path, column, rows))
        for begin in range(0, max(len(rows) for _, _, rows in work), PIECE):
            docs: dict[int, Json] = {}
            for path, column, rows in work:
                Reading(self._places, self._live, column, path, docs).take(
                    rows[begin : begin + PIECE]
                )
            yield
        for path, column, _ in work:
            if len(self._columns) >= MOST_COLUMNS:
                spare = next((one for one in self._columns if one not in wanted), path)
                self._columns.pop(spare, None)
            self._columns[path] = column

    def _aligned(
        self, old: Column | None, twins: list[Twin], path: tuple[str, ...]
    ) -> tuple[Column, list[int]]:
        """A column for these twins with what is still valid, and the rows to read."""
        count = len(twins)
        seen = 0 if self._live is None else len(self._live.series)
        if old is None or len(old.cells.distinct.values) > 2 * count + 1000:
            return _empty(twins, Distinct(), seen), list(range(count))
        rows = self._changed(old.twins, twins)
        if rows is not None:
            old.twins = twins
            return old, rows + self._new_series(old, path, seen)
        return self._moved(old, twins, path, seen)

    def _changed(self, before: list[Twin], now: list[Twin]) -> list[int] | None:
        """Rows whose twin changed; None if twins came or went."""
        if before is now:
            return []
        known = self._changes
        if known is not None and known[0] is before and known[1] is now:
            return list(known[2])
        if len(before) != len(now):
            return None
        rows = [row for row, (one, other) in enumerate(zip(before, now)) if one is not other]  # noqa: B905
        if any(before[row].id != now[row].id for row in rows):
            return None
        self._changes = (before, now, rows)
        return list(rows)

    def _moved(
        self, old: Column, twins: list[Twin], path: tuple[str, ...], seen: int
    ) -> tuple[Column, list[int]]:
        """After twins came or went: rows are taken over by twin."""
        source = self._sources(old.twins, twins)
        kept = np.flatnonzero(source >= 0)
        column = _empty(twins, old.cells.distinct, old.seen)
        column.models.update(old.models)
        taken = source[kept]
        for new, before in (
            (column.cells.number, old.cells.number),
            (column.cells.code, old.cells.code),
            (column.series, old.series),
            (column.since, old.since),
            (column.is_boolean, old.is_boolean),
        ):
            new[kept] = before[taken]
        if old.nested:
            target = dict(zip(taken.tolist(), kept.tolist(), strict=True))
            column.nested = {target[r]: s for r, s in old.nested.items() if r in target}
        return column, np.flatnonzero(source < 0).tolist() + self._new_series(column, path, seen)

    def _sources(self, before: list[Twin], now: list[Twin]) -> I64:
        """For each row now, where its twin stood before; -1 where it is new or changed."""
        known = self._moves
        if known is not None and known[0] is before and known[1] is now:
            return known[2]
        place = dict(zip(map(id, before), range(len(before)), strict=True))
        found = (place.get(id(twin), -1) for twin in now)
        source = np.fromiter(found, np.int64, len(now))
        self._moves = (before, now, source)
        return source

    def _new_series(self, column: Column, path: tuple[str, ...], seen: int) -> list[int]:
        """Rows that got series since the column was read."""
        if self._live is None or column.seen == seen:
            return []
        rows, dotted, ids = [], ".".join(path), self.ids
        for key in self._live.series.keys[column.seen : seen]:
            if f"{key.path}.".startswith(f"{dotted}.") or f"{dotted}.".startswith(f"{key.path}."):
                row = bisect_left(ids, key.twin)
                if row < len(ids) and ids[row] == key.twin:
                    rows.append(row)
        column.seen = seen
        return rows

    # ---- with device values --------------------------------------------------------------

    def cells(self, path: tuple[str, ...], reader: Reader) -> Cells:
        """The values of a prepared path now, those of devices included."""
        column = self._columns[path]
        live, stored = self._live, column.cells
        if live is None or path in COMPUTED:
            return stored
        state = live.state
        rows = np.flatnonzero((column.series >= 0) & (column.series < len(state)))
        numbers = column.series[rows]
        times = state.time[numbers]
        is_newer = (times > column.since[rows]) & (times > 0)
        rows, numbers = rows[is_newer], numbers[is_newer]
        if not len(rows) and not column.nested:
            return stored
        cells = Cells(stored.number.copy(), stored.code.copy(), stored.distinct)
        values = state.value[numbers]
        cells.number[rows] = values
        cells.code[rows] = IS_NUMBER
        is_odd = column.is_boolean[rows] | ~np.isfinite(values) | (np.abs(values) >= EXACT)
        for row, number in zip(rows[is_odd].tolist(), numbers[is_odd].tolist(), strict=True):
            twin = column.twins[row]
            last = state.get(number)
            assert isinstance(last, LastValue), "it has a time"
            cells.put(row, typed(last, self._places.of(twin.model, path).schema))
        for row, parts in column.nested.items():
            if any(number < len(state) and state.time[number] for number in parts):
                cells.put(row, reader.value(column.twins[row], path))
        return cells


class Reading:
    """Reads a column from the documents of its twins.

    Args:
        docs: documents by row, as far as they were decoded; those that are needed are added.
    """

    def __init__(
        self,
        places: Places,
        live: Live | None,
        column: Column,
        path: Steps,
        docs: dict[int, Json],
    ) -> None:
        self._places = places
        self._live = live if live is not None and len(live.series) else None
        self._column = column
        self._path = path
        self._docs = docs

    def take(self, rows: list[int]) -> None:
        """Reads some rows; what they held before does not matter."""
        column, cells = self._column, self._column.cells
        column.series[rows] = -1
        for row in [row for row in rows if row in column.nested]:
            del column.nested[row]
        values = self._computed(rows) if self._path in COMPUTED else self._stored(rows)
        codes, numbers = cells.distinct.cells_of(values)
        cells.code[rows] = codes
        cells.number[rows] = numbers

    def _computed(self, rows: list[int]) -> list[object]:
        twins = self._column.twins
        if self._path == ("$dtId",):
            return [twins[row].id for row in rows]
        is_etag = self._path == ("$etag",)
        return [twins[row].etag if is_etag else twins[row].model for row in rows]

    def _stored(self, rows: list[int]) -> list[object]:
        twins, path, docs, live = self._column.twins, self._path, self._docs, self._live
        places: dict[str, Place] = {}
        values: list[object] = []
        for row in rows:
            twin = twins[row]
            place = places.get(twin.model)
            if place is None:
                place = places[twin.model] = self._places.of(twin.model, path)
                self._column.models[twin.model] = self._places.interface(twin.model)
            doc: Json = {}
            if place.category != "telemetry":
                known = docs.get(row)
                doc = docs[row] = twin.doc if known is None else known
            values.append(walk(doc, path))
            if live is not None and place.category:
                self._find_series(live, row, twin, place, doc)
        return values

    def _find_series(self, live: Live, row: int, twin: Twin, place: Place, doc: Json) -> None:
        """Which series may show later values than the document."""
        column, path, find = self._column, self._path, live.series.find
        numbers = [n for p in place.related if (n := find(twin.id, p)) is not None]
        if not numbers:
            return
        if not place.is_plain:
            column.nested[row] = tuple(numbers)
            return
        metadata = walk(doc, (*path[:-1], "$metadata"))
        stored = metadata.get(path[-1]) if isinstance(metadata, dict) else None
        column.since[row] = value_time(stored)
        column.series[row] = numbers[0]
        column.is_boolean[row] = place.schema is not None and place.schema.kind == "boolean"


def _empty(twins: list[Twin], distinct: Distinct, seen: int) -> Column:
    count = len(twins)
    cells = Cells(np.zeros(count, np.float64), np.full(count, IS_UNDEFINED, np.int32), distinct)
    return Column(
        twins,
        cells,
        np.full(count, -1, np.int32),
        np.zeros(count, np.int64),
        np.zeros(count, np.bool_),
        {},
        seen,
    )
