"""The run `train`: lives of history become a version, judged on lives that were left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.contract import Fit, Job, Progress, Result
from gemel.services.rul import bands, conditions, drift, features, trees, trend, wear, weibull
from gemel.services.rul.lives import (
    OPEN,
    Life,
    Paths,
    carried,
    lives_of,
    open_lives,
    paths_of,
    width_of,
)
from gemel.services.rul.model import LEARNT, TREND, Model
from gemel.services.rul.recorded import ends_of, labelled

LEAST_LIVES = 4
LEAST_CYCLES = 5
MOST_ROWS = 30_000
"""Learnt from; of more, every second, third, ... cycle."""
FAR, FAR_WEIGHT = 1.12, 0.15
"""Cycles so far beyond `most` all say the same: they weigh less."""
DEVIATIONS = 2.0
"""A version passes if its intervals held their share, less so many deviations of chance."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to learn; the defaults of the run."""

    level: str = LEARNT
    most: float = 125.0
    share: float = 0.9
    folds: int = 5
    trees: int = 450
    seed: int = 1
    averaged: int = 1
    """Boosters with seeds of their own whose mean is taken."""


@dataclass(frozen=True, slots=True)
class Table:
    """Lives that failed, one row a cycle.

    Shapes: rows (n, f); remaining, unit (n,).
    """

    rows: F64
    remaining: F64
    unit: NDArray[np.int64]

    def take(self, mine: NDArray[np.bool_]) -> Table:
        return Table(self.rows[mine], self.remaining[mine], self.unit[mine])


@dataclass(frozen=True, slots=True)
class Cycles:
    """The cycles of the same lives as they were read, scaled: lines of wear are learnt from them.

    Shapes: scaled (n, k), condition (n,).
    """

    scaled: F64
    condition: NDArray[np.intp]

    def weighed(
        self, blank: Model, table: Table, mine: NDArray[np.bool_], settings: Settings
    ) -> tuple[Model, Table]:
        """With lines of wear that are learnt from the rows that are `mine`; all rows have them."""
        if settings.level != LEARNT:
            return blank, table
        weight = weights(table.remaining, settings)
        found = wear.learn(
            self.condition[mine], self.scaled[mine], table.remaining[mine], weight[mine],
            settings.most, len(blank.scaling.centres),
        )  # fmt: skip
        cuts = np.flatnonzero(np.diff(table.unit)) + 1
        lines = np.split(found.apply(self.condition, self.scaled), cuts)
        more = np.concatenate([features.of_life(line) for line in lines])
        rows = features.joined(table.rows, more, table.rows[:, -1])
        return replace(blank, wear=found), replace(table, rows=rows)


@dataclass(frozen=True, slots=True)
class Trained:
    """A model, and what it said of each life while that was left out.

    Shapes: low, middle, high (n,), for the rows of `table`.
    """

    model: Model
    scores: Json
    failed: tuple[Life, ...]
    """The lives it was learnt from; `table.unit` numbers them."""
    table: Table
    low: F64
    middle: F64
    high: F64


def train(job: Job, progress: Progress) -> Result:
    """A new version from the lives in the span; what it is worth is in its scores."""
    lives, paths, settings = given(job, progress)
    found = trained(lives, paths, settings, progress)
    return result(job, lives, found, passes(found.scores, settings), {})


def given(job: Job, progress: Progress) -> tuple[list[Life], Paths, Settings]:
    """What a run that learns is asked to learn from, and how."""
    parameters = job.instance.parameters
    paths, width = paths_of(job.signals, parameters), width_of(parameters)
    progress(0.02, "cutting history into lives")
    lives = labelled(lives_of(job.signals, job.columns, paths, width), ends_of(job), width)
    if job.parameters["runToFailure"]:
        lives = [replace(life, has_failed=True, is_over=True) for life in lives]
    settings = Settings(
        parameters["level"],
        float(parameters["most"]),
        trees=int(job.parameters["trees"]),
        folds=int(job.parameters["folds"]),
        seed=int(job.parameters["seed"]),
    )
    return lives, paths, settings


def passes(scores: Json, settings: Settings) -> bool:
    """Whether intervals held their share, less what is chance with so many lives."""
    chance: float = (settings.share * (1 - settings.share) / scores["lives"]) ** 0.5
    return bool(scores["coverage"] >= settings.share - DEVIATIONS * chance)


def result(job: Job, lives: Sequence[Life], found: Trained, adopt: bool, more: Json) -> Result:
    """A version of what was learnt."""
    head, arrays = found.model.document()
    paths = paths_of(job.signals, job.instance.parameters)
    head[OPEN], going = open_lives(lives, lambda life: filled(found.model, life, paths))
    lengths = {"lives": len(lives), "failed": sum(life.has_failed for life in lives)}
    fit = Fit(head, {**arrays, **going}, found.scores, job.begin, job.end, adopt)
    said = {"level": found.model.level, **lengths, "passed": adopt, **found.scores, **more}
    return Result(said, fit=fit)


def learn(
    lives: Sequence[Life], paths: Paths, settings: Settings, progress: Progress
) -> tuple[Model, Json]:
    """A model, and how it fared on lives that it had not seen; raises as `trained` does."""
    found = trained(lives, paths, settings, progress)
    return found.model, found.scores


def trained(lives: Sequence[Life], paths: Paths, settings: Settings, progress: Progress) -> Trained:
    """Learns from all, and from all but each part of the lives in turn.

    Raises:
        InvalidInput: too few lives ended in failure.
    """
    failed = [life for life in lives if life.has_failed and len(life) >= LEAST_CYCLES]
    if len(failed) < LEAST_LIVES:
        raise InvalidInput(
            f"{len(failed)} lives of at least {LEAST_CYCLES} cycles ended in failure",
            hint=f"at least {LEAST_LIVES} are needed; where each twin's history ends with its "
            "failure, set runToFailure",
        )
    settings = replace(settings, folds=min(settings.folds, len(failed)))
    blank, table, cycles = prepared(failed, paths, settings)
    left_out = np.empty(len(table.remaining))
    part = folds(len(failed), settings)
    fold_of = part[table.unit]
    censored = [life for life in lives if not life.has_failed]
    for fold in range(settings.folds):
        progress(0.1 + 0.7 * fold / settings.folds, f"leaving out part {fold + 1}")
        out = fold_of == fold
        rest = [life for life, mine in zip(failed, part, strict=True) if mine != fold]
        begun, whole = cycles.weighed(blank, table, ~out, settings)
        core = fitted(begun, whole.take(~out), [*rest, *censored], settings)
        left_out[out] = core.centre(whole.rows[out])
    target = np.minimum(table.remaining, settings.most)
    low, middle, high = intervals(left_out, table, fold_of, settings)
    scores = judged(low, middle, high, table, settings)
    progress(0.85, "learning from all")
    begun, whole = cycles.weighed(blank, table, np.ones(len(fold_of), np.bool_), settings)
    core = fitted(begun, whole, [*failed, *censored], settings)
    weight = weights(table.remaining, settings)
    band = bands.learn(left_out, target, table.unit, weight, settings.most, settings.share)
    model = replace(core, bands=band, learnt=look_of(blank, failed, paths, settings))
    return Trained(model, scores, tuple(failed), table, low, middle, high)


def look_of(blank: Model, failed: Sequence[Life], paths: Paths, settings: Settings) -> drift.Learnt:
    """What the signals of these lives look like."""
    keep = places_of(blank, paths)
    rows = [scaled_of(blank, life, keep) for life in failed]
    return drift.learn(rows, [life.age for life in failed], settings.seed)


def folds(count: int, settings: Settings) -> NDArray[np.int64]:
    """The part of each life."""
    order = np.random.default_rng(settings.seed).permutation(count)
    found = np.empty(count, np.int64)
    found[order] = np.arange(count) % settings.folds
    return found


def prepared(
    failed: Sequence[Life], paths: Paths, settings: Settings
) -> tuple[Model, Table, Cycles]:
    """Scaling, the signals that say something, and the rows of all cycles."""
    values = np.concatenate([life.values for life in failed])
    given = np.concatenate([life.settings for life in failed])
    scaling = conditions.learn(given, values)
    moves = np.nanstd(conditions.some_known(scaling.apply(given, values)), axis=0) > 0.5
    keep = np.flatnonzero(moves)
    if not len(keep):
        raise InvalidInput("no signal varies within its conditions", hint="choose other signals")
    scaling = replace(scaling, mean=scaling.mean[:, keep], deviation=scaling.deviation[:, keep])
    names = tuple(paths.values[i] for i in keep.tolist())
    nothing = weibull.Weibull(1.0, 1.0)
    model = Model(names, paths.settings, scaling, settings.most, settings.level, nothing)
    scaled = [scaled_of(model, life, keep) for life in failed]
    rows = [features.of_life(cycles) for cycles in scaled]
    remaining = [np.arange(len(life), dtype=np.float64)[::-1] for life in failed]
    unit = np.repeat(np.arange(len(failed)), [len(life) for life in failed])
    table = Table(np.concatenate(rows), np.concatenate(remaining), unit)
    table.rows[:, -1] = np.concatenate([life.age for life in failed])
    return model, table, Cycles(np.concatenate(scaled), scaling.condition(given))


def places_of(model: Model, paths: Paths) -> NDArray[np.intp]:
    """The columns of lives that a model reads."""
    return np.array([paths.values.index(path) for path in model.paths], np.intp)


def scaled_of(model: Model, life: Life, keep: NDArray[np.intp]) -> F64:
    """The cycles of a life as the model wants them; what was not read yet is as usual."""
    values = model.scaling.filled(life.settings, life.values[:, keep])
    return np.nan_to_num(model.scaled(life.settings, values))


def filled(model: Model, life: Life, paths: Paths) -> F64:
    """The values of a life, those that no model reads too; what was not read is as before."""
    keep, found = places_of(model, paths), carried(life.values, np.nan)
    found[:, keep] = model.scaling.filled(life.settings, life.values[:, keep])
    return found


def features_of(model: Model, life: Life, keep: NDArray[np.intp]) -> F64:
    """Rows of features of one life; those of a life that is cut short are the same."""
    scaled = scaled_of(model, life, keep)
    found = features.of_life(scaled)
    found[:, -1] = life.age
    lines = model.lines(life.settings, scaled)
    if lines is not None:
        found = features.joined(found, features.of_life(lines), life.age)
    return found


def fitted(blank: Model, table: Table, lives: Sequence[Life], settings: Settings) -> Model:
    """The model of these rows, at its level; without intervals."""
    core: trees.Trees | trend.Trend | weibull.Weibull
    if settings.level == LEARNT:
        step = 1 + len(table.rows) // MOST_ROWS
        target = np.minimum(table.remaining, settings.most)
        weight = weights(table.remaining, settings)
        core = trees.learn(
            table.rows[::step],
            target[::step],
            weight[::step],
            settings.trees,
            settings.seed,
            settings.averaged,
        )
    elif settings.level == TREND:
        core = trend.learn(table.rows, table.remaining, len(blank.paths))
    else:
        ages = np.array([life.age[-1] for life in lives if len(life)])
        core = weibull.fit(ages, np.array([life.has_failed for life in lives if len(life)]))
    return replace(blank, core=core)


def weights(remaining: F64, settings: Settings) -> F64:
    """How much each cycle counts, in models and in intervals."""
    return np.where(remaining > FAR * settings.most, FAR_WEIGHT, 1.0)


def intervals(
    centre: F64, table: Table, fold_of: NDArray[np.int64], of: Settings
) -> tuple[F64, F64, F64]:
    """What was said of lives that were left out; widths come from the other parts' residuals."""
    low, middle, high = (np.empty(len(centre)) for _ in range(3))
    target, unit = np.minimum(table.remaining, of.most), table.unit
    by_row = weights(table.remaining, of)
    for fold in range(of.folds):
        out = fold_of == fold
        band = bands.learn(centre[~out], target[~out], unit[~out], by_row[~out], of.most, of.share)
        low[out], middle[out], high[out] = band.apply(centre[out])
    return low, middle, high


def judged(low: F64, middle: F64, high: F64, table: Table, of: Settings) -> Json:
    """Figures of what was said of lives; each life counts as much as another."""
    target = np.minimum(table.remaining, of.most)
    by_row = weights(table.remaining, of)
    _, place, counts = np.unique(table.unit, return_inverse=True, return_counts=True)
    weight = by_row / np.bincount(place, by_row)[place]
    held = (target >= low) & (target <= high)
    off = middle - target
    return {
        "rmse": round(float(np.sqrt(np.average(off**2, weights=weight))), 3),
        "coverage": round(float(np.average(held, weights=weight)), 4),
        "width": round(float(np.average(high - low, weights=weight)), 3),
        "lives": len(counts),
    }
