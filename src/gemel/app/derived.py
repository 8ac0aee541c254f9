"""Derived properties, joined to the platform: documents whose formulas see every batch.

What a formula comes to is written as readings with the provenance `derived`: durable first, then
shown. What was not on disk at a crash is found again by the replay. A reading that comes too late
for its second is taken in afterwards: the values of that time are computed once more from the
history, and those that differ take the place of the old ones.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from gemel.app.correction import Correction, correct
from gemel.app.formulas import FIELDS, formula_of, read_formula
from gemel.app.results import without_supposed
from gemel.app.service_writer import ServiceWriter
from gemel.app.signals import NOTHING_PLANNED, Planned
from gemel.core.batch import F64, I64, Batch
from gemel.core.clock import SECOND
from gemel.core.document import Edit, Json
from gemel.core.errors import Conflict, GemelError, NotFound
from gemel.core.quality import Quality
from gemel.core.series import DERIVED
from gemel.services.rules.derived import DerivedEngine, Formula
from gemel.services.rules.features import every_path
from gemel.twins.graph import EditContext, Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.derived")


class Derived:
    """All derived properties."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.writer = ServiceWriter(platform)
        self._engines: dict[str, DerivedEngine] = {}
        """By lateness in ns and model: the twins of a model share a clock."""
        self._formulas: dict[str, Formula] = {}
        self._broken: dict[str, str] = {}
        self._read: set[int] = set()
        self._is_changed = False
        self._waiting: list[Batch] = []
        """Readings since then: they are judged by the formulas as they will be, in a second."""
        self._late: list[Correction] = []
        self._is_correcting = False
        self._saved_late: list[list[Any]] = []
        """Of the checkpoint, until formulas are known."""

    # ---- from readings to values -------------------------------------------------------------

    def react(self, batch: Batch) -> None:
        """Takes readings in that are on disk; what follows from them is written with the tick."""
        if self._is_changed:
            self._waiting.append(batch)
        elif self._engines:
            self._judge(batch)

    def react_supposed(self, batch: Batch) -> None:
        """As `react`, for predicted and simulated readings: formulas see those that are named."""
        platform = self._platform
        named = without_supposed(batch, platform.series, platform.reactions.means.is_named)
        if len(named):
            self.react(named)

    def _judge(self, batch: Batch) -> None:
        counts = (batch.quality < Quality.BAD) & np.isfinite(batch.value)
        value = np.where(counts, batch.value, np.nan)
        series = batch.series.astype(np.int64)
        for engine in self._engines.values():
            for found in engine.react(series, batch.time, value, batch.received):
                self._queue(found.series, found.time, found.value)

    def _queue(self, series: I64, time: int, value: F64) -> None:
        times = np.full(len(series), time, np.int64)
        self.writer.queue(series.astype(np.int32), times, value)

    def tick(self, now: int) -> None:
        """Once a second: follows twins, judges what silence lets be judged, writes, corrects."""
        self._follow()
        for engine in self._engines.values():
            for found in engine.tick(now):
                self._queue(found.series, found.time, found.value)
        self.writer.write_soon()
        self._note_late()
        if self._late and not self._is_correcting:
            self._is_correcting = True
            self._platform.start_task(self._correct())

    def _note_late(self) -> None:
        for engine in self._engines.values():
            for late in engine.take_late():
                formula = self._formulas.get(late.formula)
                if formula is not None:
                    twins = engine.owners(late.formula, late.series)
                    until = (engine.clock or 0) * SECOND
                    self._late.append(Correction(formula, late.series, late.time, until, twins))

    async def _correct(self) -> None:
        try:
            while self._late:
                one = self._late.pop(0)
                await self.writer.flush()
                try:
                    changed = await correct(self._platform, one)
                except GemelError as error:
                    log.warning("late readings of '%s' are not taken in: %s", one.formula.id, error)
                    continue
                if changed:
                    log.info("%d values of '%s' corrected", changed, one.formula.id)
        finally:
            self._is_correcting = False

    # ---- what is watched ---------------------------------------------------------------------

    def changed(self) -> None:
        """Formulas, models, twins or relationships are others; followed with the next tick."""
        if self._engines or self._platform.catalogue.plain["derived"]:
            self._is_changed = True

    def _follow(self) -> None:
        if not self._is_changed:
            return
        self._is_changed = False
        platform = self._platform
        means = platform.reactions.means
        self._formulas, self._broken = {}, {}
        for key in sorted(platform.catalogue.plain["derived"]):
            try:
                formula = formula_of(platform.graph, platform.catalogue.signals, key)
                self._formulas[key] = formula
            except GemelError as error:
                self._broken[key] = str(error)
                log.warning("the derived property '%s' is not computed: %s", key, error)
        for name, engine in list(self._engines.items()):
            for key in engine.formulas:
                if key not in self._formulas or _engine_of(self._formulas[key]) != name:
                    engine.drop_formula(key)
        for formula in self._formulas.values():
            means.note(every_path(formula.inner.paths, formula.inner.features))
        for formula in self._formulas.values():
            self._set(formula)
        for name, engine in list(self._engines.items()):
            if not engine.formulas:  # looked at last: one from a checkpoint has none at first
                del self._engines[name]
        waiting, self._waiting = self._waiting, []
        self._know_again({int(n) for batch in waiting for n in np.unique(batch.series)})
        for batch in waiting:
            self._judge(batch)

    def _set(self, formula: Formula) -> None:
        platform = self._platform
        means = platform.reactions.means
        name = _engine_of(formula)
        engine = self._engines.get(name)
        if engine is None:
            engine = self._engines[name] = DerivedEngine(round(formula.lateness * SECOND))
        instances = [
            (twin.id, means.series_of(twin.id))
            for twin in platform.graph.twins.values()
            if platform.graph.is_of_model(twin, formula.model)
        ]
        out = [platform.series.id(twin, formula.path, DERIVED) for twin, _ in instances]
        engine.set_formula(formula, instances, out, means.kin, means.settings)

    def _know_again(self, coming: set[int]) -> None:
        """Gives the engines the last values of series that no formula has read before.

        Args:
            coming: series with readings that wait; their last values are among these.
        """
        read = {number for engine in self._engines.values() for number in engine.series_read()}
        state = self._platform.state
        new = [n for n in read - self._read - coming if n < len(state.time) and state.time[n]]
        self._read = read
        if new:
            rows = np.array(sorted(new), np.int32)
            value = np.where(state.quality[rows] < Quality.BAD, state.value[rows], np.nan)
            for engine in self._engines.values():
                engine.know(rows.astype(np.int64), state.time[rows], value)

    def problem(self, key: str) -> str:
        """Why a derived property is not computed; "" if it is."""
        return self._broken.get(key, "")

    def unit_of(self, key: str) -> str:
        """The unit of its values, as a DTDL name; "" for none."""
        formula = self._formulas.get(key)
        return formula.unit if formula is not None else ""

    def twins_of(self, key: str) -> int:
        """On how many twins it is computed."""
        formula = self._formulas.get(key)
        if formula is None:
            return 0
        graph = self._platform.graph
        return sum(graph.is_of_model(twin, formula.model) for twin in graph.twins.values())

    # ---- documents ---------------------------------------------------------------------------

    def plan(
        self,
        graph: Graph,
        context: EditContext,
        wanted: Mapping[str, Json],
        planned: Planned = NOTHING_PLANNED,
    ) -> list[Edit]:
        """The edits that make or change derived properties; what has not changed is left alone.

        Raises:
            InvalidInput: names the derived property, the place and what was expected.
            Conflict: another gives this property already.
        """
        stored = self._platform.catalogue.plain["derived"]
        bodies = {k: {n: v for n, v in d.items() if n != "id"} for k, d in wanted.items()}
        signals = self._platform.catalogue.signals_with(graph, {**planned, "derived": bodies})
        edits = []
        for key, body in bodies.items():
            formula = read_formula(graph, signals, key, body)
            _check_alone(graph, signals.derived, formula)
            doc = {name: body[name] for name in FIELDS if body.get(name) is not None}
            old = stored.get(key)
            if old is not None and {**doc, "version": old["version"]} == old:
                continue
            doc["version"] = 1 if old is None else int(old["version"]) + 1
            edits.append(context.edit("derived", key, doc))
        return edits

    def check(self, key: str, body: Json) -> Json:
        """What a derived property would be; changes nothing.

        Raises:
            InvalidInput: as `plan`.
        """
        platform = self._platform
        signals = platform.catalogue.signals_with(platform.graph, {"derived": {key: body}})
        formula = read_formula(platform.graph, signals, key, body)
        _check_alone(platform.graph, signals.derived, formula)
        graph = platform.graph
        twins = [t.id for t in graph.twins.values() if graph.is_of_model(t, formula.model)]
        return {
            "id": key,
            "property": formula.path,
            "formula": formula.text,
            "unit": formula.unit,
            "twins": len(twins),
            "lateness": formula.lateness,
        }

    async def put(self, key: str, body: Json, who: str) -> Json:
        """Makes or changes a derived property."""
        await self._platform.edit(
            lambda graph, context: (self.plan(graph, context, {key: body}), None), who, "derived"
        )
        return self.view(key)

    async def delete(self, key: str, who: str) -> None:
        """Ends a derived property; the values that it gave stay.

        Raises:
            NotFound: there is none.
            Conflict: a rule or a formula names it.
        """
        doc = self.document(key)

        def plan(graph: Graph, context: EditContext) -> tuple[list[Edit], None]:
            self._check_unused(graph, key, doc)
            return [context.edit("derived", key, None)], None

        await self._platform.edit(plan, who, "derived property deleted")

    def _check_unused(self, graph: Graph, key: str, doc: Json) -> None:
        platform = self._platform
        signals = platform.catalogue.signals_with(graph)
        rest = signals.derived = {k: d for k, d in signals.derived.items() if k != key}
        who = ""
        try:
            for who in rest.keys() - self._broken.keys():
                formula_of(graph, signals, who)
            for who in platform.reactions.engine.rules:
                body = platform.catalogue.plain["rule"][who]
                platform.reactions.load_rule_with(who, body, graph, signals)
        except GemelError as error:
            raise Conflict(
                f"'{who}' names '{doc['property']}', which derived property '{key}' gives",
                hint=f"change '{who}' first",
            ) from error

    def document(self, key: str) -> Json:
        """One derived property as it is stored.

        Raises:
            NotFound: there is none.
        """
        found = self._platform.catalogue.plain["derived"].get(key)
        if found is None:
            raise NotFound(f"there is no derived property '{key}'", hint="GET /derived lists them")
        return found

    def view(self, key: str) -> Json:
        """One derived property, and whether it is computed."""
        self._follow()
        formula = self._formulas.get(key)
        return {
            "id": key,
            "title": "",
            **self.document(key),
            "unit": formula.unit if formula else "",
            "every": formula.every if formula else None,
            "lateness": formula.lateness if formula else None,
            "twins": self.twins_of(key),
            "problem": self.problem(key),
        }

    def views(self) -> list[Json]:
        return [self.view(key) for key in sorted(self._platform.catalogue.plain["derived"])]

    # ---- checkpoint and restart --------------------------------------------------------------

    def snapshot(self) -> dict[str, bytes]:
        """The engines after everything that was stored so far, and what waits for the disk."""
        self._follow()
        self._note_late()
        late = [[c.formula.id, c.series, c.time, c.until, c.twins] for c in self._late]
        engines = {name: engine.snapshot() for name, engine in self._engines.items()}
        body = {"engines": engines, "late": late, "read": sorted(self._read)}
        return {"derived": orjson.dumps(body), "derivedOutputs": self.writer.snapshot()}

    def restore(self, blobs: Mapping[str, bytes]) -> None:
        """Takes a checkpoint over, before `begin`."""
        if "derived" not in blobs:
            return
        found = orjson.loads(blobs["derived"])
        for name, memory in found["engines"].items():
            engine = self._engines[name] = DerivedEngine(int(name.partition(" ")[0]))
            engine.restore(memory)
        self._read = set(found["read"])
        self._saved_late = found["late"]
        self.writer.restore(blobs["derivedOutputs"])

    def begin(self) -> None:
        """At start, before the replay: formulas as they are."""
        self._is_changed = bool(self._platform.catalogue.plain["derived"] or self._engines)
        self._follow()
        for key, *rest in self._saved_late:
            if key in self._formulas:
                self._late.append(Correction(self._formulas[key], *rest))
        self._saved_late = []

    def after_replay(self) -> None:
        """Values that were on disk already do not count again."""
        self.writer.forget_stored()


def _engine_of(formula: Formula) -> str:
    return f"{round(formula.lateness * SECOND)} {formula.model}"


def _check_alone(graph: Graph, documents: Mapping[str, Json], formula: Formula) -> None:
    """Two formulas for one property of one twin are refused."""
    for key, doc in documents.items():
        if key == formula.id or doc.get("property") != formula.path:
            continue
        pair = (doc["model"], formula.model)
        for one, other in (pair, pair[::-1]):
            interface = graph.find_model(one)
            if one == other or (interface is not None and other in interface.bases):
                raise Conflict(
                    f"derived property '{formula.id}': '{key}' gives '{formula.path}' already",
                    hint=f"change '{key}', or choose another name for the property",
                )
