"""What the run `learn` keeps: of each signal its model, its band, and where its history ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.core.document import Json
from gemel.services.contract import Fit, Signal
from gemel.services.forecast.bands import Forecast
from gemel.services.forecast.models import Ridge

RIDGE = "ridge"
NEVER = -(1 << 62)


@dataclass(frozen=True, slots=True)
class Version:
    """Of n signals, those that it has learnt (`has`).

    Shapes: has, is_ridge, last (n,); weights (n, lags + 1, horizon); low, high (n, horizon);
    tail (n, reach), the latest last.
    """

    has: NDArray[np.bool_]
    is_ridge: NDArray[np.bool_]
    weights: F64
    low: F64
    high: F64
    tail: F64
    last: I64
    season: int

    def forecast(self, recent: F64, rows: NDArray[np.intp]) -> F64:
        """The steps ahead of these signals. Shapes: recent (r, reach); gives (r, horizon)."""
        lags, horizon = self.weights.shape[1] - 1, self.weights.shape[2]
        at = np.arange(horizon) % self.season
        found: F64 = recent[:, -self.season :][:, at]
        linear = np.flatnonzero(self.is_ridge[rows])
        mine, weights = recent[linear, -lags:], self.weights[rows[linear]]
        last = mine[:, -1:]
        ahead = np.einsum("rl,rlh->rh", mine - last, weights[:, :-1]) + weights[:, -1] + last
        found[linear] = ahead
        return found


def fit_of(
    signals: Sequence[Signal], found: Sequence[tuple[Forecast, Ridge, F64, int] | None], given: Json
) -> tuple[Json, dict[str, np.ndarray[Any, Any]]]:
    """Document and arrays of a fit, from (forecast, ridge, values, last step) of each signal."""
    mine = [(s, f) for s, f in zip(signals, found, strict=True) if f is not None]
    reach = max(given["lags"], given["season"])
    head: Json = {
        "signals": [[s.twin, s.path] for s, _ in mine],
        "models": [f[0].model for _, f in mine],
        **{name: given[name] for name in ("step", "season", "lags", "horizon")},
    }
    arrays = {
        "weights": np.array([f[1].weights for _, f in mine]),
        "low": np.array([f[0].low - f[0].value for _, f in mine]),
        "high": np.array([f[0].high - f[0].value for _, f in mine]),
        "tail": np.array([f[2][-reach:] for _, f in mine]),
        "last": np.array([f[3] for _, f in mine], np.int64),
    }
    return head, arrays


def version_of(fit: Fit | None, signals: Sequence[Signal], given: Json) -> Version:
    """A fit for these signals; one with other steps has learnt none of them."""
    n, reach = len(signals), max(int(given["lags"]), int(given["season"]))
    lags, horizon, season = int(given["lags"]), int(given["horizon"]), int(given["season"])
    found = Version(
        np.zeros(n, np.bool_),
        np.zeros(n, np.bool_),
        np.zeros((n, lags + 1, horizon)),
        np.zeros((n, horizon)),
        np.zeros((n, horizon)),
        np.zeros((n, reach)),
        np.full(n, NEVER, np.int64),
        season,
    )
    names = ("step", "season", "lags", "horizon")
    if fit is None or any(fit.document.get(name) != given[name] for name in names):
        return found
    place = {tuple(key): i for i, key in enumerate(fit.document["signals"])}
    here = [i for i, s in enumerate(signals) if (s.twin, s.path) in place]
    there = [place[signals[i].twin, signals[i].path] for i in here]
    found.has[here] = True
    found.is_ridge[here] = [fit.document["models"][i] == RIDGE for i in there]
    for name in ("weights", "low", "high", "tail", "last"):
        if there:
            getattr(found, name)[here] = fit.arrays[name][there]
    return found
