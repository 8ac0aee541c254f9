"""The run: all columns step through time together, attachment by attachment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gemel.core.batch import F64
from gemel.services.behaviour.model import Quantity, Step
from gemel.services.whatif.boundary import Future, deviations
from gemel.services.whatif.network import Block, Network
from gemel.services.whatif.program import Evaluate, Places, full
from gemel.services.whatif.variants import (
    NOMINAL,
    Columns,
    Effect,
    Layout,
    Variant,
    parameter_values,
)

HOUR = 3600.0
Told = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Course:
    """Everything that is given before the first step."""

    steps: int
    seconds: float
    every: int
    """Steps from one value that is kept to the next."""
    seed: int
    variants: Sequence[Variant]
    layout: Layout
    futures: Mapping[int, Future]
    """By row of the table: what comes from outside."""
    effects: Sequence[Effect] = ()
    past: Past | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """What was measured before the fork, for states that nobody measures.

    Shapes: values (steps, rows), the last one step before the fork; NaN where nothing is known.
    """

    rows: Places
    values: F64


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is kept: some rows for some columns."""

    rows: Places
    columns: Columns


@dataclass(slots=True)
class _Running:
    block: Block
    step: Step | None
    state: F64
    noise: F64
    """Deviation of each state in a step."""
    after: list[tuple[int, list[Effect]]]
    """By output: the effects on it."""


@dataclass(slots=True)
class March:
    """One run; `kept` are the values of each `Wanted`: (kept moments, rows, columns)."""

    network: Network
    course: Course
    wanted: Sequence[Wanted]
    kept: list[F64] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)

    def run(self, told: Told = lambda _: None) -> None:
        """Steps to the end."""
        course, layout = self.course, self.course.layout
        table = self._table()
        generator = np.random.default_rng([course.seed, 2])
        most = max(int(layout.member.max()) + 1, 1)
        outside = _Outside(course, generator, most)
        found = self._run_in(table.copy(), generator, most)
        made = set(self.network.produced.values())
        fixed = set(self.network.parameters.values())
        beside = _own(course.effects, set(range(len(table))) - made - fixed)
        for effect in course.effects:
            effect.apply(table, 0)
        self._prime(table)
        running = [self._begin(block, table, course.effects) for block in self.network.blocks]
        for one, states in zip(running, found, strict=True):
            for row, values in states.items():
                one.state[row] = values
        moments = course.steps // course.every + 1
        self.kept = [
            np.empty((moments, len(w.rows), len(w.columns)), np.float32) for w in self.wanted
        ]
        self._keep(table, 0)
        for k in range(course.steps):
            outside.set(table, k)
            for effect in beside:
                effect.apply(table, k)
            for one in running:
                _advance(one, table, k, generator, layout, most)
            if (k + 1) % course.every == 0:
                self._keep(table, (k + 1) // course.every)
                told((k + 1) / course.steps)

    def _table(self) -> F64:
        network, course = self.network, self.course
        table = np.full((len(network.slots), course.layout.size), np.nan)
        for (twin, path), row in network.slots.items():
            known = network.fork.twins.get(twin)
            if known is not None and path in known.values:
                table[row] = known.values[path]
        for row, future in course.futures.items():
            table[row] = future.course[0]
        parameter_values(network, course.layout, course.variants, table, course.seed)
        return table

    def _run_in(
        self, table: F64, generator: np.random.Generator, members: int
    ) -> list[dict[int, F64]]:
        """Hidden states by block and row: the models run beside what was measured, unchanged."""
        blocks, layout, past = self.network.blocks, self.course.layout, self.course.past
        if not any(block.attachment.hidden for block in blocks):
            return [{} for _ in blocks]
        steps = np.empty((0, 0)) if past is None else past.values
        rows = np.empty(0, np.intp) if past is None else past.rows
        _measured(table, rows, steps[0] if len(steps) else np.empty(0))
        self._prime(table)
        running = [self._begin(block, table, ()) for block in blocks]
        self.assumptions.clear()  # they are told where the run begins
        for one in running:
            _unsure(one, generator, layout, members)
            one.noise = np.zeros_like(one.noise)
        for values in steps:
            _measured(table, rows, values)
            for one in running:
                _observe(one, table)
                _advance(one, table, 0, generator, layout, members)
        return [{row: one.state[row] for row in _hidden(one.block)} for one in running]

    def _prime(self, table: F64) -> None:
        """Fills in outputs that nobody measures, where formulas give them from what is."""
        for block in self.network.blocks:
            for _, rows, evaluate in block.outputs:
                if np.isnan(table[rows]).any():
                    table[rows] = np.where(np.isnan(table[rows]), evaluate(table), table[rows])

    def _begin(self, block: Block, table: F64, effects: Sequence[Effect]) -> _Running:
        """Prepares a block; what is not known where it begins is assumed, and told."""
        wide = len(block.twins) * self.course.layout.size
        behaviour = block.attachment.behaviour
        after = [
            (i, found)
            for i, (_, rows, _) in enumerate(block.outputs)
            if (found := _own(effects, set(rows.tolist())))
        ]
        if behaviour is None:
            return _Running(block, None, np.empty((0, wide)), np.empty(0), after)
        for quantity, evaluate in block.inputs:
            self._filled(block, "input", quantity, evaluate, table)
        states = [
            self._filled(block, "state", quantity, evaluate, table)
            for quantity, evaluate in block.start
        ]
        state = np.stack(states) if states else np.empty((0, wide))
        places = dict(block.parameters)
        given = [table[places[q.name]].reshape(-1) for q in behaviour.parameters]
        values = np.stack(given) if given else np.empty((0, wide))
        seconds = self.course.seconds
        noise = np.array([block.attachment.noise.get(q.name, 0.0) for q in behaviour.states])
        return _Running(
            block,
            (behaviour.follow or behaviour.prepare)(values, seconds),
            state,
            noise * np.sqrt(seconds / HOUR),
            after,
        )

    def _filled(
        self, block: Block, what: str, quantity: Quantity, evaluate: Evaluate | None, table: F64
    ) -> F64:
        shape = (len(block.twins), table.shape[1])
        if evaluate is None:
            return np.full(shape, quantity.value).reshape(-1)
        found = full(evaluate(table), shape)
        missing = np.atleast_1d(np.isnan(found).all(axis=1))
        if missing.any():
            names = [t for t, is_gone in zip(block.twins, missing, strict=True) if is_gone]
            some = ", ".join(names[:4]) + (" ..." if len(names) > 4 else "")
            self.assumptions.append(
                f"{what} '{quantity.name}' of {some} is not known: "
                f"{quantity.value:g} {quantity.unit}".rstrip()
            )
        return _within(quantity, found).reshape(-1)

    def _keep(self, table: F64, moment: int) -> None:
        for values, wanted in zip(self.kept, self.wanted, strict=True):
            values[moment] = table[wanted.rows[:, None], wanted.columns]


class _Outside:
    """Sets what comes from outside, at every step."""

    def __init__(self, course: Course, generator: np.random.Generator, members: int) -> None:
        rows = list(course.futures)
        self._rows = np.array(rows, np.intp)
        self._course = np.stack([course.futures[r].course for r in rows] or [np.empty(0)])
        self._moving = [i for i, r in enumerate(rows) if course.futures[r].spread is not None]
        layout = course.layout
        self._member = np.maximum(layout.member, 0)
        self._drawn = (layout.member != NOMINAL).astype(float)
        moved = []
        for i in self._moving:
            draws = generator.standard_normal((course.steps, members))
            moved.append(deviations(course.futures[rows[i]], draws).astype(np.float32))
        self._away = np.stack(moved) if moved else np.empty((0, 0, 0))

    def set(self, table: F64, k: int) -> None:
        if not len(self._rows):
            return
        table[self._rows] = self._course[:, k, None]
        if self._moving:
            away = self._away[:, k][:, self._member] * self._drawn
            table[self._rows[self._moving]] += away


def _hidden(block: Block) -> list[int]:
    return [i for i, (q, _) in enumerate(block.start) if q.name in block.attachment.hidden]


def _measured(table: F64, rows: Places, values: F64) -> None:
    known = np.isfinite(values)
    table[rows[known]] = values[known, None]


def _observe(one: _Running, table: F64) -> None:
    """Puts the states that are measured where they were measured."""
    hidden = set(_hidden(one.block))
    shape = (len(one.block.twins), table.shape[1])
    for row, (_, evaluate) in enumerate(one.block.start):
        if row not in hidden and evaluate is not None:
            found = full(evaluate(table), shape).reshape(-1)
            one.state[row] = np.where(np.isfinite(found), found, one.state[row])


def _unsure(one: _Running, generator: np.random.Generator, layout: Layout, members: int) -> None:
    """Moves hidden states of the members apart, as their deviation says."""
    twins = len(one.block.twins)
    for row in _hidden(one.block):
        quantity = one.block.start[row][0]
        drawn = generator.standard_normal((twins, members))[:, np.maximum(layout.member, 0)]
        drawn = drawn * (layout.member != NOMINAL) * one.block.attachment.hidden[quantity.name]
        moved = one.state[row] + drawn.reshape(-1)
        one.state[row] = np.clip(moved, quantity.low, quantity.high)


def _own(effects: Sequence[Effect], rows: set[int]) -> list[Effect]:
    """What effects do to some rows."""
    found = []
    for effect in effects:
        mine = [row for row in effect.rows.tolist() if row in rows]
        if mine:
            found.append(replace(effect, rows=np.array(mine, np.intp)))
    return found


def _within(quantity: Quantity, found: F64) -> F64:
    known: F64 = np.where(np.isnan(found), quantity.value, found)
    return np.clip(known, quantity.low, quantity.high)


def _advance(
    one: _Running, table: F64, k: int, generator: np.random.Generator, layout: Layout, members: int
) -> None:
    """One step of a block: inputs, states, outputs into the table."""
    block = one.block
    shape = (len(block.twins), layout.size)
    if one.step is not None:
        inputs = np.empty((len(block.inputs), shape[0] * shape[1]))
        for row, (quantity, evaluate) in enumerate(block.inputs):
            if evaluate is None:
                inputs[row] = quantity.value
            else:
                found = full(evaluate(table), shape)
                inputs[row] = _within(quantity, found).reshape(-1)
        state, outputs = one.step(one.state, inputs)
        one.state = _disturbed(one, state, generator, layout, members)
        for (_, rows), values in zip(block.given, outputs, strict=True):
            table[rows] = values.reshape(shape)
    waiting = dict(one.after)
    for i, (_, rows, evaluate) in enumerate(block.outputs):
        table[rows] = evaluate(table)
        for effect in waiting.get(i, ()):
            effect.apply(table, k)


def _disturbed(
    one: _Running, state: F64, generator: np.random.Generator, layout: Layout, members: int
) -> F64:
    """The state with what the model does not know, the same for a member in every variant."""
    if not one.noise.any():
        return state
    twins = len(one.block.twins)
    after = state.copy()
    for row in np.flatnonzero(one.noise):
        drawn = generator.standard_normal((twins, members))[:, np.maximum(layout.member, 0)]
        drawn = drawn * (layout.member != NOMINAL) * one.noise[row]
        quantity = one.block.start[row][0]
        after[row] = np.clip(after[row] + drawn.reshape(-1), quantity.low, quantity.high)
    return after
