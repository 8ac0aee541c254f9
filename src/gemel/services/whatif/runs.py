"""The run `simulate`: a scenario beside the same plant left alone, and what that comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.contract import Column, Instance, Job, Need, Plant, Progress, Result, Signal
from gemel.services.foreign.described import opened_entry
from gemel.services.whatif.alarms import Simulated, judged, loaded, shapes_of_json
from gemel.services.whatif.attachment import Amount, Attachment, merged, read_attachment
from gemel.services.whatif.boundary import Future, future_of, sampled
from gemel.services.whatif.design import points, ranked, variants_of
from gemel.services.whatif.figures import band, bands, compared, figure, tornado, unit_of
from gemel.services.whatif.fork import fork_of_json
from gemel.services.whatif.march import Course, March, Past, Wanted
from gemel.services.whatif.network import Block, Network, joined
from gemel.services.whatif.scenario import Kpi, Scenario, read_scenario
from gemel.services.whatif.variants import Effect, Variant, effects_of, keys_of, layout_of

MOST_MOMENTS = 721
MOST_CELLS = 60_000_000
"""Values kept in one run; more are kept further apart in time, and beyond that refused."""
BASE, OTHER = 0, 1
MOST_BEFORE = 3_000
"""Steps before the fork, from which hidden states are found."""
MOST_BARS = 12
SIDE = 1.645
"""Deviations between which 90 of 100 lie."""
PLAN = "plan"


@dataclass(frozen=True, slots=True)
class Asked:
    """A plan as the platform has made it: a scenario, the fork, how it behaves."""

    scenario: Scenario
    network: Network
    plan: Json


def asked_of(plan: Json) -> Asked:
    """Reads a plan and joins its network.

    Raises:
        InvalidInput: names what does not fit.
    """
    scenario = read_scenario(plan["scenario"])
    attachments = [
        calibrated(
            read_attachment(doc["id"], doc, plan.get("foreign")),
            plan.get("calibrated", {}).get(doc["id"], {}),
        )
        for doc in plan["behaviours"]
    ]
    network = joined(fork_of_json(plan["fork"]), attachments)
    for change in scenario.changes:
        for key in keys_of(network, change):
            network.slots.row(*key)
    for kpi in kpis_of(plan, scenario, network):
        network.slots.row(kpi.twin, kpi.property)
    return Asked(scenario, network, plan)


def calibrated(one: Attachment, found: Mapping[str, Json]) -> Attachment:
    """An attachment with what a service has learnt of each twin: values, and how sure."""
    own = {twin: dict(values) for twin, values in one.own.items()}
    for twin, values in found.items():
        for name, (value, spread) in values.items():
            if name in one.parameters:
                learnt = Amount(float(value), float(spread))
                own.setdefault(twin, {})[name] = merged(one.parameters[name], learnt)
    return replace(one, own=own)


def kpis_of(plan: Json, scenario: Scenario, network: Network) -> list[Kpi]:
    """Those of the scenario, else those of the plant that are simulated, else all outputs' means.

    Raises:
        InvalidInput: one is of a twin that is not forked.
    """
    for kpi in scenario.kpis:
        if kpi.twin not in network.fork.twins:
            raise InvalidInput(
                f"kpi '{kpi.id}': '{kpi.twin}' is not in the fork", hint="add it to 'twins'"
            )
    if scenario.kpis:
        return list(scenario.kpis)
    known = [
        Kpi(one["id"], one["title"], one["twin"], one["property"], "mean", unit=one["unit"])
        for one in plan.get("kpis", [])
        if (one["twin"], one["property"]) in network.produced
    ]
    if known:
        return known
    roots = [key for key in network.produced if key[0] in scenario.twins]
    return [
        Kpi(f"{twin}.{path}", f"{path} of {twin}, mean", twin, path, "mean")
        for twin, path in (roots or sorted(network.produced))[:8]
    ]


def need(_: Json, instance: Instance, __: Plant, ___: int) -> Need:
    """What the plan says: the readings of what comes from outside."""
    plan = instance.parameters.get(PLAN)
    if not plan:
        raise InvalidInput(
            "a scenario is run by its own route", hint="POST /scenarios/{id}/run, gemel whatif run"
        )
    signals = tuple(Signal(twin, path) for twin, path in plan["signals"])
    return Need(signals, plan["begin"], plan["end"], plan["bucket"])


def simulate(job: Job, progress: Progress) -> Result:
    """Runs a scenario.

    Raises:
        InvalidInput: names what does not fit, or what is too much.
    """
    plan = job.instance.parameters[PLAN]
    asked = asked_of(plan)
    columns = {(s.twin, s.path): c for s, c in zip(job.signals, job.columns, strict=True)}
    progress(0.01, "joined")
    with ExitStack() as models:
        blocks = tuple(
            _run_elsewhere(block, plan.get("foreign", {}), models) for block in asked.network.blocks
        )
        asked = replace(asked, network=replace(asked.network, blocks=blocks))
        return _Run(asked, columns).result(progress)


def _run_elsewhere(block: Block, foreign: Json, models: ExitStack) -> Block:
    """The block with its model open in a sandbox, where it is of others."""
    behaviour = block.attachment.behaviour
    if behaviour is None or behaviour.name not in foreign:
        return block
    model = models.enter_context(opened_entry(behaviour.name, foreign[behaviour.name]))
    found = model.behaviour_in_time()
    return replace(block, attachment=replace(block.attachment, behaviour=found))


class _Run:
    def __init__(self, asked: Asked, columns: Mapping[tuple[str, str], Column]) -> None:
        self.asked, self.columns = asked, columns
        self.scenario, self.network = asked.scenario, asked.network
        self.plan = asked.plan
        self.kpis = kpis_of(self.plan, self.scenario, self.network)
        self.at = self.network.fork.at
        base, other = (
            Variant((), self.scenario.members),
            Variant(self.scenario.changes, self.scenario.members),
        )
        self.bars, bar_variants = self._bars(other)
        self.points: F64 = np.empty((0, 0))
        swept: list[Variant] = []
        if self.scenario.sweep is not None:
            self.points = points(self.scenario.sweep, self.scenario.seed)
            swept = variants_of(self.scenario.sweep, self.points, other)
        self.first_bar, self.first_swept = 2, 2 + len(bar_variants)
        self.variants = [base, other, *bar_variants, *swept]
        self.layout = layout_of(self.variants)
        self.outputs = sorted(self.network.produced)

    def _bars(self, other: Variant) -> tuple[list[tuple[str, int, int]], list[Variant]]:
        """The tornado's bars as (name, low variant, high variant), after the nominal one."""
        found: list[Variant] = [Variant(other.changes, 0)]
        bars: list[tuple[str, int, int]] = []
        unsure = sorted(
            (
                (max(b.attachment.amount(t, name).spread for t in b.twins), b.attachment.id, name)
                for b in self.network.blocks
                for name, _ in b.parameters
            ),
            reverse=True,
        )
        for spread, key, name in unsure[:MOST_BARS]:
            if spread > 0:
                for side in (-SIDE, SIDE):
                    found.append(Variant(other.changes, 0, {(key, name): side}))
                bars.append((f"{key}.{name}", len(found) - 2, len(found) - 1))
        if other.changes:
            found.append(Variant((), 0))
            alone = len(found) - 1
            for i, change in enumerate(other.changes[:MOST_BARS]):
                rest = (*other.changes[:i], *other.changes[i + 1 :])
                if rest:
                    found.append(Variant(rest, 0))
                bars.append((change.words, len(found) - 1 if rest else alone, 0))
        return bars, found

    def result(self, progress: Progress) -> Result:
        every = self._every()
        course = self._course(every)
        rows = np.array([self.network.produced[key] for key in self.outputs], np.intp)
        of_kpis = [self.network.slots.row(k.twin, k.property) for k in self.kpis]
        both = np.flatnonzero(self.layout.variant <= OTHER)
        march = March(
            self.network,
            course,
            [
                Wanted(rows, both),
                Wanted(np.array(of_kpis, np.intp), np.arange(self.layout.size)),
            ],
        )
        march.run(lambda share: progress(0.02 + 0.83 * share, "running"))
        moments = len(march.kept[0])
        width = round(every * course.seconds * SECOND)
        time = self.at + np.arange(moments, dtype=np.int64) * width
        progress(0.86, "key figures")
        document, figures = self._figures(march.kept[1], float(time[-1] - self.at) / SECOND / 3600)
        progress(0.9, "alarms")
        alarms, not_judged = self._alarms(march.kept[0], time, every * course.seconds)
        arrays = self._arrays(march.kept[0], time)
        arrays["figures"] = figures
        return Result(
            {
                "at": to_iso(self.at),
                "to": to_iso(int(time[-1])),
                "step": course.seconds,
                "every": every * course.seconds,
                "members": self.scenario.members,
                "seed": self.scenario.seed,
                "boundary": self.scenario.boundary,
                "columns": self.layout.size,
                "steps": course.steps,
                "changes": [c.words for c in self.scenario.changes],
                **document,
                "alarms": alarms,
                "assumptions": [*self._assumed(course), *march.assumptions, *not_judged],
                "series": [[t, p, self._unit(t, p)] for t, p in self.outputs],
            },
            arrays,
        )

    # ---- before ------------------------------------------------------------------------------

    def _every(self) -> int:
        steps, members = self.scenario.steps, 2 * self.scenario.members
        every = max(1, -(-steps // (MOST_MOMENTS - 1)))
        cells = len(self.outputs) * members + len(self.kpis) * self.layout.size
        if cells * (steps // every + 1) > MOST_CELLS:
            every = max(every, -(-steps * cells // MOST_CELLS))
        if steps // every < 1 or len(self.network.slots) * self.layout.size > MOST_CELLS:
            raise InvalidInput(
                f"{self.layout.size:,} columns of {len(self.network.slots):,} values",
                hint="fewer members, fewer variants, or a smaller fork",
            )
        return every

    def _course(self, every: int) -> Course:
        scenario, network = self.scenario, self.network
        steps = scenario.steps // every * every
        effects = [
            effect
            for number, variant in enumerate(self.variants)
            for change in variant.changes
            for effect in self._effects(change, number, steps)
        ]
        outside = set(network.boundary())
        made = {*network.produced.values(), *network.parameters.values()}
        touched = {row for effect in effects for row in effect.rows.tolist()} - made
        by_row = {row: key for key, row in network.slots.items()}
        futures = {
            row: self._future(by_row[row], steps)
            for row in sorted({network.slots.row(*key) for key in outside} | touched)
        }
        return Course(
            steps, scenario.step, every, scenario.seed, self.variants, self.layout, futures,
            effects, self._past(),
        )  # fmt: skip

    def _past(self) -> Past | None:
        """What was measured before the fork, a value a step, where somebody needs it."""
        network, step = self.network, round(self.scenario.step * SECOND)
        if not any(block.attachment.hidden for block in network.blocks):
            return None
        keys = [k for k, column in self.columns.items() if len(column.time)]
        keys = [k for k in keys if network.slots.find(*k) is not None]
        known = [int(self.columns[k].time[0]) for k in keys]
        longest = min(self.scenario.span * 3600 / self.scenario.step, MOST_BEFORE)
        count = min(int(longest), (self.at - min(known, default=self.at)) // step)
        if count < 1:
            return None
        moments = self.at - np.arange(count, 0, -1, dtype=np.int64) * step
        values = [sampled(self.columns[k].time, self.columns[k].value, moments) for k in keys]
        rows = np.array([network.slots.row(*key) for key in keys], np.intp)
        return Past(rows, np.stack(values, axis=1))

    def _effects(self, change: Any, number: int, steps: int) -> Sequence[Effect]:
        recorded = {
            (t, p, text): _from(self.columns.get((t, p)), begin)
            for t, p, text, begin in self.plan["recorded"]
        }
        return effects_of(
            self.network, change, self.layout.of(number), self.at, steps, self.scenario.step,
            recorded,
        )  # fmt: skip

    def _future(self, key: tuple[str, str], steps: int) -> Future:
        twin, path = key
        known = self.network.fork.twins.get(twin)
        now = float("nan") if known is None else float(known.values.get(path, float("nan")))
        column = self.columns.get(key)
        time: I64 = np.empty(0, np.int64) if column is None else column.time
        value: F64 = np.empty(0) if column is None else column.value
        return future_of(
            self.scenario.boundary, time, value, now, self.at, steps, self.scenario.step,
            self.scenario.span * 3600,
        )  # fmt: skip

    # ---- after -------------------------------------------------------------------------------

    def _figures(self, kept: Any, hours: float) -> tuple[Json, F64]:
        """Key figures, the tornado, the sweep; and the scenario's members' figures."""
        layout = self.layout
        values = [figure(kpi, kept[:, i], hours) for i, kpi in enumerate(self.kpis)]
        base, other = layout.of(BASE), layout.of(OTHER)
        rows: list[Json] = []
        for kpi, found in zip(self.kpis, values, strict=True):
            rows.append(
                {
                    "id": kpi.id,
                    "title": kpi.title,
                    "twin": kpi.twin,
                    "property": kpi.property,
                    "of": kpi.of,
                    "limit": kpi.limit,
                    "unit": unit_of(kpi, self._unit(kpi.twin, kpi.property)),
                    "best": kpi.best,
                    "baseline": band(found[base]),
                    "scenario": band(found[other]),
                    "difference": compared(found[base], found[other]),
                    "tornado": self._tornado(found),
                }
            )
        document: Json = {"kpis": rows, "sweep": None}
        if self.scenario.sweep is not None:
            by_variant = [
                [found[layout.of(self.first_swept + i)] for found in values]
                for i in range(len(self.points))
            ]
            document["sweep"] = ranked(self.scenario.sweep, self.points, self.kpis, by_variant)
        return document, np.stack([v[other] for v in values]) if values else np.empty((0, 0))

    def _tornado(self, found: F64) -> list[Json]:
        if not self.bars:
            return []
        at = [int(self.layout.of(self.first_bar + i)[0]) for i in range(self._bar_count())]
        names = [name for name, _, _ in self.bars]
        low = np.array([found[at[a]] for _, a, _ in self.bars])
        high = np.array([found[at[b]] for _, _, b in self.bars])
        return tornado(names, low, high, float(found[at[0]]))

    def _bar_count(self) -> int:
        return self.first_swept - self.first_bar

    def _alarms(self, kept: Any, time: I64, seconds: float) -> tuple[list[Json], list[str]]:
        shapes = shapes_of_json(self.plan["shapes"])
        fork = self.network.fork
        rules, why = loaded(self.plan["rules"], fork, shapes, seconds)
        rows = {key: i for i, key in enumerate(self.outputs)}
        half = self.scenario.members
        sides = [
            Simulated(time, rows, kept[:, :, :half]),
            Simulated(time, rows, kept[:, :, half:]),
        ]
        return judged(rules, fork, sides, self.at, int(time[-1])), why

    def _arrays(self, kept: Any, time: I64) -> dict[str, Any]:
        half = self.scenario.members
        arrays: dict[str, Any] = {"time": time}
        for name, values in (("baseline", kept[:, :, :half]), ("scenario", kept[:, :, half:])):
            for word, found in zip(("mean", "low", "high"), bands(values), strict=True):
                arrays[f"{name}/{word}"] = found.astype(np.float32)
        return arrays

    def _assumed(self, course: Course) -> list[str]:
        """How what comes from outside was continued."""
        by_row = {row: key for key, row in self.network.slots.items()}
        found: dict[str, list[str]] = {}
        for row, future in course.futures.items():
            if np.isfinite(future.course).any():
                found.setdefault(future.how, []).append(".".join(by_row[row]))
        words = {
            "likely": "goes on as it was, or as the day before, as surely as that held before",
            "hold": "stays as it was at the fork",
            "repeat": "goes as on the day before",
            "recorded": "goes as it then went",
        }
        return [
            f"{', '.join(sorted(names)[:6])}{' and others' if len(names) > 6 else ''}: {words[how]}"
            for how, names in sorted(found.items())
        ]

    def _unit(self, twin: str, path: str) -> str:
        return str(self.plan["units"].get(twin, {}).get(path, ""))


def _from(column: Column | None, begin: int) -> tuple[I64, F64]:
    if column is None:
        return np.empty(0, np.int64), np.empty(0)
    first = int(np.searchsorted(column.time, begin, side="left"))
    return column.time[first:], column.value[first:]
