"""Parameters from history: least squares from many starts, a hold-out, what the data can tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gemel.core.batch import F64
from gemel.core.document import Json
from gemel.core.errors import InvalidInput, Unavailable
from gemel.services.behaviour.model import Behaviour, simulate
from gemel.services.calibration.space import Space, space_of

SAMPLES = 400
"""Random guesses of which the best become starts."""
SPREAD = 1.5
"""Of the guesses, in free numbers."""
STEP = 1e-4
"""Of the difference quotients; all parameters in one simulation."""
UNKNOWN_ABOVE = 0.5
"""Relative deviation from which on the data cannot tell a parameter."""
LEAST = 20
"""Readings for each free number, at least in this many steps."""
Told = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Data:
    """What was seen: inputs that hold during steps, an output at their ends (NaN: not seen)."""

    inputs: Mapping[str, F64]
    observed: F64
    seconds: float
    output: str

    def part(self, begin: int, end: int) -> Data:
        inputs = {n: (c if np.ndim(c) == 0 else c[begin:end]) for n, c in self.inputs.items()}
        return Data(inputs, self.observed[begin:end], self.seconds, self.output)

    def __len__(self) -> int:
        return len(self.observed)


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Parameters, how sure they are, and how good on data they were not made from."""

    behaviour: Behaviour
    space: Space
    free: F64
    covariance: F64
    """Of the free numbers."""
    noise: float
    """Deviation of the output from the model, in its unit."""
    fit_rmse: float
    holdout_rmse: float
    """Free run over the last part: no reading of the output is fed back."""
    holdout_coverage: float
    """Share of the last part within the 90 % interval."""
    starts_agree: int
    """Of the starts, those that came to the same sum of squares."""
    starts: int
    fixed: Mapping[str, float] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, float]:
        names = self.space.names[: self.space.count]
        values = self.space.values(self.free)
        found = {n: float(v) for n, v in zip(names, values, strict=False)}
        return {**self.fixed, **found}

    def members(self, count: int, seed: int = 1) -> F64:
        """Free numbers (k, count) as likely as the data make them, within their bounds."""
        random = np.random.default_rng(seed)
        root = _root(self.covariance)
        drawn = self.free[:, None] + root @ random.standard_normal((len(self.free), count))
        found: F64 = np.clip(drawn, self.space.low[:, None], self.space.high[:, None])
        return found

    def report(self) -> list[Json]:
        """Each parameter with its deviation, and whether the data can tell it."""
        values, slope = self.space.values(self.free), self.space.slope(self.free)
        deviation = np.sqrt(np.diag(self.covariance)) * np.abs(slope)
        found = []
        for k, name in enumerate(self.space.names):
            margin = 1e-3 * (self.space.high[k] - self.space.low[k])
            at_bound = bool(
                self.free[k] < self.space.low[k] + margin
                or self.free[k] > self.space.high[k] - margin
            )
            scale = self.space.scale[k]
            size = abs(values[k])
            if not self.space.is_log[k]:
                size = max(min(size, scale), 1e-3 * scale)
            relative = float(deviation[k] / size)
            is_state = k >= self.space.count
            sure = not at_bound and (is_state or relative <= UNKNOWN_ABOVE)
            found.append(
                {
                    "name": name,
                    "value": float(values[k]),
                    "deviation": float(deviation[k]),
                    "relative": relative,
                    "atBound": at_bound,
                    "identifiable": sure,
                }
            )
        return found

    def correlated(self) -> list[Json]:
        """Pairs of parameters of which the data tell only a combination."""
        deviation = np.sqrt(np.maximum(np.diag(self.covariance), 1e-300))
        table = self.covariance / np.outer(deviation, deviation)
        names = self.space.names[: self.space.count]
        return [
            {"pair": [names[i], names[j]], "correlation": round(float(table[i, j]), 3)}
            for i in range(len(names))
            for j in range(i)
            if abs(table[i, j]) > 0.95
        ]


def calibrate(
    behaviour: Behaviour,
    data: Data,
    *,
    fitted: Sequence[str] = (),
    parameters: Mapping[str, float] | None = None,
    start: Mapping[str, float] | None = None,
    starts: int = 8,
    holdout: float = 1 / 3,
    seed: int = 1,
    hold: bool = False,
    told: Told = lambda share, what: None,
) -> Calibrated:
    """The parameters with which a free run comes closest to what was seen.

    Args:
        behaviour: the model.
        data: evenly spaced; its last part is held out.
        fitted: names of parameters; all without any.
        parameters: where to begin, and the values of those that are not fitted.
        start: states at the begin, where they are known; they are fitted too.
        starts: of the search; each begins at one of the best of many guesses.
        holdout: share of the data, from the end.
        seed: of the guesses.
        hold: parameters stay as they are given; only starting states are fitted.
        told: of progress.

    Raises:
        InvalidInput: too little data.
    """
    given, begun = dict(parameters or {}), dict(start or {})
    names = [] if hold else list(fitted) or [p.name for p in behaviour.parameters if p.is_fitted]
    cut = round(len(data) * (1 - holdout))
    seen = np.isfinite(data.observed[:cut])
    reach: dict[str, float] = {}
    if any(s.name == data.output for s in behaviour.states) and seen.sum() > 1:
        first = data.observed[:cut][seen]
        begun.setdefault(data.output, float(first[0]))
        reach[data.output] = max(3 * float(np.abs(np.diff(first)).mean()), 1e-6)
    space = space_of(behaviour, names, given, begun, reach)
    if seen.sum() < max(LEAST, 3 * len(space.names)):
        raise InvalidInput(
            f"{int(seen.sum())} steps with a reading are too few for {len(space.names)} unknowns",
            hint="a longer span, or fewer parameters to fit",
        )
    fixed = {n: v for n, v in given.items() if n not in names}
    search = Search(behaviour, data.part(0, cut), space, fixed)
    best, agree = search.run(starts, seed, told) if space.names else (np.zeros(0), starts)
    jacobian, residual = search.jacobian(best), search.residual(best)
    noise = float(np.sqrt((residual**2).sum() / max(len(residual) - len(best), 1)))
    covariance = _covariance(jacobian, residual, space)
    found = Calibrated(
        behaviour, space, best, covariance, noise, float(np.sqrt(np.mean(residual**2))),
        float("nan"), float("nan"), agree, starts, fixed,
    )  # fmt: skip
    rmse, coverage = judged(found, data, cut)
    return Calibrated(
        behaviour, space, best, covariance, noise, found.fit_rmse, rmse, coverage, agree, starts,
        fixed,
    )  # fmt: skip


class Search:
    """Least squares in the free numbers of one model on one stretch of data."""

    def __init__(
        self, behaviour: Behaviour, data: Data, space: Space, fixed: Mapping[str, float]
    ) -> None:
        self.behaviour, self.data, self.space, self.fixed = behaviour, data, space, fixed
        self.seen = np.isfinite(data.observed)

    def outputs(self, free: F64) -> F64:
        """(T, S) for free numbers (k, S)."""
        return run(self.behaviour, self.data, self.space, free, self.fixed)

    def residual(self, free: F64) -> F64:
        found: F64 = (self.outputs(free[:, None])[:, 0] - self.data.observed)[self.seen]
        return np.nan_to_num(found, nan=1e6, posinf=1e6, neginf=-1e6)

    def jacobian(self, free: F64) -> F64:
        """By differences to both sides, inwards at a bound; all in one simulation."""
        k = len(free)
        up = np.minimum(free + STEP, self.space.high)
        down = np.maximum(free - STEP, self.space.low)
        many = np.repeat(free[:, None], 2 * k, axis=1)
        rows = np.arange(k)
        many[rows, rows], many[rows, k + rows] = up, down
        found = self.outputs(many)[self.seen]
        width = np.maximum(up - down, 1e-300)
        table: F64 = (found[:, :k] - found[:, k:]) / width
        return np.nan_to_num(table)

    def run(self, starts: int, seed: int, told: Told) -> tuple[F64, int]:
        """The best of several descents, and how many came to it."""
        try:
            from scipy.optimize import least_squares
        except ModuleNotFoundError:
            raise Unavailable(
                "calibration needs scipy", hint="pip install gemel[services]"
            ) from None

        ends: list[Any] = []
        for i, first in enumerate(self._guesses(starts, seed)):
            told(i / starts, f"start {i + 1} of {starts}")
            ends.append(
                least_squares(
                    self.residual, first, jac=self.jacobian,
                    bounds=(self.space.low, self.space.high), x_scale="jac", max_nfev=60,
                )
            )  # fmt: skip
        best = min(ends, key=lambda e: float(e.cost))
        agree = sum(float(e.cost) <= 1.01 * float(best.cost) + 1e-12 for e in ends)
        return np.asarray(best.x, float), agree

    def _guesses(self, starts: int, seed: int) -> list[F64]:
        random = np.random.default_rng(seed)
        space = self.space
        spread = np.where(np.arange(len(space.names)) < space.count, SPREAD, 2.0)
        free = space.middle[:, None] + spread[:, None] * random.standard_normal(
            (len(space.names), SAMPLES)
        )
        free[:, 0] = space.middle
        margin = 1e-6 * (space.high - space.low)
        low, high = (space.low + margin)[:, None], (space.high - margin)[:, None]
        free = np.clip(free, low, high)
        off = (self.outputs(free) - self.data.observed[:, None])[self.seen]
        cost = np.nan_to_num((off**2).sum(axis=0), nan=np.inf)
        order = np.argsort(cost[1:], kind="stable")[: starts - 1] + 1
        return [free[:, 0], *(free[:, i] for i in order)]


def run(
    behaviour: Behaviour, data: Data, space: Space, free: F64, fixed: Mapping[str, float]
) -> F64:
    """The output (T, S) of a free run with free numbers (k, S)."""
    values = space.values(free)
    named = {n: values[i] for i, n in enumerate(space.names[: space.count])}
    start = {s.name: values[space.count + i] for i, s in enumerate(behaviour.states)}
    found = simulate(behaviour, data.inputs, data.seconds, {**fixed, **named}, start)
    return found.output(data.output)


def judged(found: Calibrated, data: Data, cut: int) -> tuple[float, float]:
    """RMSE and coverage of the 90 % interval of a free run, over what was held out."""
    if cut >= len(data):
        return found.fit_rmse, float("nan")
    free = found.free[:, None]
    if len(free):
        free = np.column_stack((free, found.members(100)))
    outputs = run(found.behaviour, data, found.space, free, found.fixed)[cut:]
    seen = np.isfinite(data.observed[cut:])
    off = (outputs[:, 0] - data.observed[cut:])[seen]
    unsure = outputs[:, 1:].var(axis=1) if len(free) else 0.0
    spread = np.sqrt(unsure + np.full(len(outputs), found.noise**2))[seen]
    return float(np.sqrt(np.mean(off**2))), float(np.mean(np.abs(off) <= 1.645 * spread))


def _covariance(jacobian: F64, residual: F64, space: Space) -> F64:
    """Of the free numbers; neighbours in time that err alike count for less.

    A direction that the data do not show at all is as wide as its bounds.
    """
    count, k = jacobian.shape
    if not k:
        return np.zeros((0, 0))
    variance = float((residual**2).sum()) / max(count - k, 1)
    _, singular, rows = np.linalg.svd(jacobian, full_matrices=False)
    wide = ((space.high - space.low) / 4).max()
    alike = float(np.corrcoef(residual[1:], residual[:-1])[0, 1]) if residual.std() > 0 else 0.0
    alike = min(max(alike, 0.0), 0.98)
    inflation = (1 + alike) / (1 - alike)
    with np.errstate(divide="ignore"):
        width = np.minimum(variance * inflation / singular**2, wide**2)
    found: F64 = (rows.T * width) @ rows
    return found


def _root(covariance: F64) -> F64:
    values, vectors = np.linalg.eigh(covariance)
    found: F64 = vectors * np.sqrt(np.maximum(values, 0.0))
    return found
