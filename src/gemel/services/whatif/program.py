"""Formulas over many scenarios at once: rows are twins, columns scenarios, values in one table.

The table `V` has a row for each (twin, path) that anything names, so reading a formula's names is
one gather, and what relatives have is one more. Row 0 is what nobody knows: NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64
from gemel.core.errors import InvalidInput
from gemel.services.rules.compiler import PropertyShape
from gemel.services.rules.features import Feature, Inner, Relatives
from gemel.services.rules.measures import compile_formula
from gemel.services.rules.parser import parse_formula
from gemel.services.whatif.attachment import Formula
from gemel.services.whatif.fork import Fork

Places = NDArray[np.intp]
STATISTICS = ("sum", "mean", "min", "max", "range", "count")
OUTPUT = ">"
"""Before the name of a behaviour's output in the table."""
NUMBER = PropertyShape("number")


class Slots:
    """Rows of the table, given as they are first named."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self._rows) + 1

    def row(self, twin: str, path: str) -> int:
        return self._rows.setdefault((twin, path), len(self._rows) + 1)

    def find(self, twin: str, path: str) -> int | None:
        return self._rows.get((twin, path))

    def rows(self, twins: Sequence[str], path: str) -> Places:
        return np.array([self.row(twin, path) for twin in twins], np.intp)

    def items(self) -> list[tuple[tuple[str, str], int]]:
        return list(self._rows.items())


class AnyNumber(Mapping[str, PropertyShape]):
    """Takes every name for a number; what the graph really has was checked when it was saved."""

    def __init__(self, outputs: frozenset[str] = frozenset()) -> None:
        self._outputs = outputs

    def __getitem__(self, name: str) -> PropertyShape:
        if name in self._outputs:
            return PropertyShape("number", stands_for=OUTPUT + name)
        return NUMBER

    def get(self, name: str, default: object = None) -> PropertyShape:
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._outputs)

    def __len__(self) -> int:
        return len(self._outputs)


def compiled(place: str, formula: str, outputs: frozenset[str] = frozenset()) -> Inner:
    """A formula that names plain numbers.

    Raises:
        InvalidInput: it is no formula, or asks for more than values of the moment.
    """
    try:
        inner, _ = compile_formula(
            parse_formula(formula, place), AnyNumber(outputs), lambda _: AnyNumber()
        )
    except InvalidInput as error:
        raise InvalidInput(f"{place}: {error.message}", hint=error.hint) from error
    check_moment(place, inner)
    return inner


def check_moment(place: str, inner: Inner) -> None:
    """Refuses what looks back in time: a run steps from moment to moment."""
    for feature in inner.features.values():
        if isinstance(feature, Relatives):
            if feature.statistic not in STATISTICS:
                raise InvalidInput(
                    f"{place}: '{feature.statistic} of' gives no number",
                    hint="one of: " + ", ".join(STATISTICS),
                )
            if feature.inner is not None:
                check_moment(place, feature.inner)
        elif isinstance(feature, Inner):
            check_moment(place, feature)
        else:
            raise InvalidInput(
                f"{place}: a what-if steps from moment to moment and keeps no windows",
                hint="leave out 'over', 'rate of', 'no x for' and schedules",
            )


def full(values: F64, shape: tuple[int, ...]) -> F64:
    """The values in a shape; most have it already, and asking is quicker than broadcasting."""
    return values if values.shape == shape else np.broadcast_to(values, shape)


Evaluate = Callable[[F64], F64]
"""The table -> (twins, scenarios)."""


def evaluator(
    place: str, formula: Formula, twins: Sequence[str], fork: Fork, slots: Slots,
    outputs: frozenset[str] = frozenset(),
) -> Evaluate:  # fmt: skip
    """A formula for some twins, to be asked with the table at every step."""
    if not isinstance(formula, str):
        constant = np.full((len(twins), 1), formula)
        return lambda table: constant
    if formula in outputs:
        rows = slots.rows(twins, OUTPUT + formula)
        return lambda table: table[rows]
    return _evaluate(compiled(place, formula, outputs), twins, fork, slots)


def _evaluate(inner: Inner, twins: Sequence[str], fork: Fork, slots: Slots) -> Evaluate:
    parts: list[Evaluate] = []
    for path in inner.paths:
        feature = inner.features.get(path)
        if feature is None:
            parts.append(_taken(slots.rows(twins, path)))
        else:
            parts.append(_feature(feature, twins, fork, slots))
    given = np.array(inner.parameters)[:, None]
    count = len(twins)

    def evaluate(table: F64) -> F64:
        wide = table.shape[1]
        values = np.empty((len(parts), count * wide))
        for row, part in enumerate(parts):
            values[row] = full(part(table), (count, wide)).reshape(-1)
        return full(inner.evaluate(values, given), (count * wide,)).reshape(count, wide)

    return evaluate


def _taken(rows: Places) -> Evaluate:
    return lambda table: table[rows]


def _feature(feature: Feature, twins: Sequence[str], fork: Fork, slots: Slots) -> Evaluate:
    if isinstance(feature, Inner):
        return _evaluate(feature, twins, fork, slots)
    assert isinstance(feature, Relatives)
    assert feature.inner is not None
    kin = [fork.relatives(twin, feature.relation) for twin in twins]
    every = sorted({who for some in kin for who in some})
    place = {who: i for i, who in enumerate(every)}
    inside = _evaluate(feature.inner, every, fork, slots)
    if feature.statistic in ("sum", "mean", "count"):
        return _added(feature.statistic, [[place[w] for w in some] for some in kin], inside, every)
    return _extreme(feature.statistic, [[place[w] for w in some] for some in kin], inside)


def _added(
    statistic: str, kin: list[list[int]], inside: Evaluate, every: Sequence[str]
) -> Evaluate:
    joined = np.zeros((len(kin), len(every)))
    for row, some in enumerate(kin):
        joined[row, some] = 1.0
    is_alone = np.array([not some for some in kin])[:, None]

    def evaluate(table: F64) -> F64:
        if not every:
            return np.full((len(kin), 1), np.nan if statistic == "mean" else 0.0)
        value = inside(table)
        known = np.isfinite(value)
        if statistic == "count":
            return np.asarray(joined @ (value == 1.0))
        total = joined @ np.where(known, value, 0.0)
        there = joined @ known
        if (
            statistic == "sum"
        ):  # of nobody it is 0; of those of whom nothing is known it is not known
            return np.where((there > 0) | is_alone, total, np.nan)
        return np.where(there > 0, total / np.maximum(there, 1), np.nan)

    return evaluate


def _extreme(statistic: str, kin: list[list[int]], inside: Evaluate) -> Evaluate:
    def evaluate(table: F64) -> F64:
        found = np.full((len(kin), table.shape[1]), np.nan)
        value = inside(table) if any(kin) else found
        for row, some in enumerate(kin):
            if some:
                low = np.fmin.reduce(value[some])
                high = np.fmax.reduce(value[some])
                found[row] = {"min": low, "max": high, "range": high - low}[statistic]
        return found

    return evaluate
