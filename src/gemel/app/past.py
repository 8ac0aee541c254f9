"""The plant as of any moment: graph, values, queries and alarms of then.

Two times can be asked for. `at` is when something was true; `recorded` is when it was known: what
was known at `recorded` of `at`. An edit is true from when it is recorded; a reading has a time by
its source and one of receipt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakSet

import numpy as np

from gemel.backends import past as store
from gemel.core.batch import I32, Batch, Columns
from gemel.core.clock import from_iso, to_iso
from gemel.core.document import Document, Edit, Json
from gemel.core.errors import GemelError, InvalidInput, NotFound
from gemel.history import History
from gemel.history.query import take
from gemel.services.alarms.index import AlarmIndex
from gemel.twins.graph import Graph
from gemel.twins.past import KINDS, Past
from gemel.twins.query.reading import Live, Places, Reader
from gemel.twins.query.run import Engine
from gemel.twins.recalled import Found, LastAt, Recalled
from gemel.twins.records import Twin, make_twin
from gemel.twins.state import NEVER, State

if TYPE_CHECKING:
    from gemel.app.platform import Platform

MOST_KEPT = 4
"""Moments that stay at hand for the next question."""
PIECE = 200
"""Documents that are taken in before others have their turn."""
FIRST_WINDOW = 60 * 10**9
WIDER = 8


@dataclass(frozen=True, slots=True)
class Moment:
    """What is asked for, in ns; `recorded` None is as it is known now."""

    at: int
    recorded: int | None = None

    @property
    def of_edits(self) -> int:
        """The time of the last edit that counts."""
        return self.at if self.recorded is None else min(self.at, self.recorded)


class Then:
    """The platform as of a moment."""

    def __init__(self, moment: Moment, graph: Graph, values: Recalled, engine: Engine) -> None:
        self.moment = moment
        self.graph = graph
        self.values = values
        self.engine = engine


class Moments:
    """Makes moments, and keeps the last ones that were asked for."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._kept: dict[Moment, asyncio.Task[Then]] = {}
        self._graphs: WeakSet[Past] = WeakSet()
        self._values: WeakSet[Recalled] = WeakSet()

    # ---- kept in step with the present ---------------------------------------------------

    def follow(self, edits: Sequence[Edit]) -> None:
        """Must be told of edits before the graph of now applies them."""
        for graph in list(self._graphs):
            graph.follow(edits)
        if any(edit.kind == "model" for edit in edits):
            self._kept.clear()  # their columns rest on the models of now

    def readings(self, batch: Batch) -> None:
        """A reading that comes late may be the newest of a moment that is at hand."""
        for values in list(self._values):
            late = batch.series[batch.time <= values.until]
            if len(late):
                values.forget(np.unique(late))

    # ---- moments -------------------------------------------------------------------------

    def moment(self, at: int | None, recorded: int | None) -> Moment | None:
        """The moment that is asked for; None is now.

        Raises:
            InvalidInput: it lies ahead.
        """
        if at is None and recorded is None:
            return None
        now = self._platform.clock()
        for time in (at, recorded):
            if time is not None and time > now:
                raise InvalidInput(
                    f"{to_iso(time)} lies ahead: it is {to_iso(now)}",
                    hint="ask for a moment that has been",
                )
        return Moment(now if at is None else at, recorded)

    async def then(self, moment: Moment) -> Then:
        """The platform as of a moment, from those at hand or made now."""
        task = self._kept.pop(moment, None)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.get_running_loop().create_task(self._make(moment))
        self._kept[moment] = task
        while len(self._kept) > MOST_KEPT:
            self._kept.pop(next(iter(self._kept)))
        return await asyncio.shield(task)

    async def _make(self, moment: Moment) -> Then:
        platform = self._platform
        graph = Past(platform.graph, moment.of_edits)
        self._graphs.add(graph)
        found = await asyncio.to_thread(
            store.edited_since, platform.documents.path, KINDS, moment.of_edits
        )
        models = [one for one in found if one.kind == "model"]
        graph.take(models)
        rest = sorted((one for one in found if one.kind != "model"), key=lambda one: one.kind)
        rest.reverse()  # twins before relationships
        for start in range(0, len(rest), PIECE):
            graph.take(rest[start : start + PIECE])
            await asyncio.sleep(0)
        values = self._recalled(moment)
        nearby = None if graph.has_other_models else platform.queries.engine
        engine = Engine(graph, Live(platform.series, values), nearby=nearby)
        return Then(moment, graph, values, engine)

    def _recalled(self, moment: Moment) -> Recalled:
        platform = self._platform
        values = Recalled(last_at(platform.history, platform.state, moment), moment.at)
        self._values.add(values)
        return values

    # ---- one twin, alarms ----------------------------------------------------------------

    async def twin(self, twin_id: str, moment: Moment) -> tuple[Twin, Json]:
        """A twin as of a moment, and as the data plane showed it then.

        Raises:
            NotFound: there was none.
        """
        platform = self._platform
        if moment not in self._kept:
            (was,) = await asyncio.to_thread(
                store.at, platform.documents.path, [("twin", twin_id)], moment.of_edits
            )
            if was.doc is None:
                raise no_twin(twin_id, moment)
            twin = make_twin(twin_id, was.doc, was.etag)
            if self._is_as_now(twin.model, moment):
                live = Live(platform.series, self._recalled(moment))
                return twin, Reader(platform.graph, live, Places(platform.graph)).view(twin)
        then = await self.then(moment)
        found = then.graph.find_twin(twin_id)
        if found is None:
            raise no_twin(twin_id, moment)
        return found, then.engine.view(found)

    def _is_as_now(self, model: str, moment: Moment) -> bool:
        """Whether a model, and with it all that it needs, was there then as it is now."""
        record = self._platform.graph.find_record(model)
        try:
            return record is not None and from_iso(record.upload_time) <= moment.of_edits
        except GemelError:
            return False

    async def alarms(self, moment: Moment, state: str, twin: str | None, limit: int) -> list[Json]:
        """The list of alarms as it was."""
        path = self._platform.documents.path
        docs = await asyncio.to_thread(store.all_at, path, "alarm", moment.of_edits)
        index = AlarmIndex()
        index.load(Document("alarm", key, doc, 0, "", "") for key, doc in docs.items())
        return index.find(state=state, twin=twin, limit=limit)


def last_at(history: History, state: State, moment: Moment) -> LastAt:
    """What finds the newest readings of series as of a moment."""
    at, recorded = moment.at, moment.recorded

    def find(series: I32) -> Iterator[Found]:
        current = _current(state, series, moment)
        yield current, current, _of_state(state, current)  # nothing newer has come since
        rest = np.setdiff1d(series, current)
        found, newest = history.last_of_many(rest, at)
        if recorded is None:
            yield rest, found, newest
            return
        late = found[newest.received > recorded]
        rows = np.flatnonzero(newest.received <= recorded)
        yield np.setdiff1d(rest, late), found[rows], take(newest, rows)
        for number in late:
            known = _known(history, int(number), at, recorded)
            one = np.array([number], np.int32)
            yield one, one[: len(known)], known

    return find


def _current(state: State, series: I32, moment: Moment) -> I32:
    """Those of which the last value of now was the last then, and was known."""
    inside = series[series < state.size]
    time, received = state.time[inside], state.received[inside]
    is_current = (time != NEVER) & (time <= moment.at)
    if moment.recorded is not None:
        is_current &= received <= moment.recorded
    current: I32 = inside[is_current]
    return current


def _of_state(state: State, series: I32) -> Columns:
    text = {row: state.text[n] for row, n in enumerate(series.tolist()) if n in state.text}
    return Columns(
        state.time[series],
        state.value[series],
        state.quality[series],
        state.received[series],
        text,
    )


def _known(history: History, series: int, at: int, recorded: int) -> Columns:
    """The newest reading up to `at` of those that had come by `recorded`; none, or one row."""
    width, end = FIRST_WINDOW, at + 1
    while end > 0:
        start = max(0, end - width)
        found = history.read(series, start, end, bad=True, versions=True)
        rows = np.flatnonzero(found.received <= recorded)
        if len(rows):
            return take(found, rows[-1:])
        end, width = start, width * WIDER
    return take(found, slice(0, 0))


def no_twin(twin_id: str, moment: Moment) -> NotFound:
    return NotFound(
        f"there was no twin '{twin_id}' at {to_iso(moment.of_edits)}",
        hint="GET /twins/{id}/changes says when it was made and deleted",
        code="DigitalTwinNotFound",
    )
