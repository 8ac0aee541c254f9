"""How sure a forecast is: the quantiles of its errors at each step, on data held out.

Models are fitted again and again on all that was before a part, and judged on that part: so most of
a short history gives errors. What few horizons show is less than what there is, so bands are wider
by Student's t, two horizons counting as one, as neighbours are alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gemel.core.batch import F64
from gemel.services.forecast.models import Ridge, fit, seasonal, windows

FIRST, TRAIN = 0.4, 0.7
"""Share that the first fit has; of a history of the least length, what lags and a horizon take."""
MOST_PARTS, MOST_WINDOWS = 4, 2_000
LOW, HIGH = 0.05, 0.95
NORMAL, MOST_WIDER = 1.645, 3.0
"""Deviations to a quantile of 95 %; by how much a band is widened at most."""


@dataclass(frozen=True, slots=True)
class Forecast:
    value: F64
    low: F64
    high: F64
    model: str
    scores: dict[str, float]
    """On data that neither the model nor its band was made from."""
    ridge: Ridge
    """Fitted to all, also where the other model was chosen."""


def forecast(values: F64, season: int, lags: int, horizon: int) -> Forecast:
    """The better of two models on held-out data, with a band.

    The last part judges the band of the parts before; then all parts give the band, and all is
    fitted anew. Shapes: values (n,), evenly spaced, finite.
    """
    parts = _parts(len(values), max(season, lags), horizon)
    errors = [_errors(values, begin, end, season, lags, horizon) for begin, end in parts]
    names = ("ridge", "seasonal")
    before = {n: np.concatenate([one[n] for one in errors[:-1]]) for n in names}
    model = min(names, key=lambda name: float((before[name] ** 2).mean()))
    judged = errors[-1]
    low, high = _band(before[model], (parts[-1][0] - parts[0][0]) / horizon)
    inside = (judged[model] >= low) & (judged[model] <= high)
    scores = {
        "rmse": float(np.sqrt((judged[model] ** 2).mean())),
        "rmseSeasonal": float(np.sqrt((judged["seasonal"] ** 2).mean())),
        "coverage": float(inside.mean()),
        "width": float((high - low).mean()),
        "windows": float(parts[-1][1] - parts[-1][0] - horizon + 1),
        "horizons": round((len(values) - parts[0][0]) / horizon, 1),
    }
    low, high = _band(np.concatenate((before[model], judged[model])), scores["horizons"])
    ridge = fit(values, lags, horizon)
    ahead = ridge.forecast(values) if model == "ridge" else seasonal(values, season, horizon)
    return Forecast(ahead, ahead + low, ahead + high, model, scores, ridge)


def _parts(count: int, reach: int, horizon: int) -> list[tuple[int, int]]:
    """Begin and end of the parts that are forecast from what was before them."""
    first = max(int(FIRST * count), reach + horizon + 1)
    number = int(np.clip((count - first) // (2 * horizon), 2, MOST_PARTS))
    cuts = np.linspace(first, count, number + 1).astype(int).tolist()
    return list(pairwise(cuts))


def _errors(
    values: F64, begin: int, end: int, season: int, lags: int, horizon: int
) -> dict[str, F64]:
    """What came in a part, less what each model said from what was before."""
    reach = max(lags, season)
    before, after = windows(values[begin - reach : end], reach, horizon)
    step = max(1, len(before) // MOST_WINDOWS)
    before, after = before[::step], after[::step]
    naive = before[:, -season:][:, np.arange(horizon) % season]
    trained = fit(values[:begin], lags, horizon)
    return {"ridge": after - trained.forecast(before), "seasonal": after - naive}


def _band(errors: F64, horizons: float) -> tuple[F64, F64]:
    """What holds 90 of 100 errors at each step, wider where few horizons were seen."""
    factor = wider(horizons)
    low, high = (np.quantile(errors, q, axis=0) for q in (LOW, HIGH))
    return np.minimum(factor * low, 0.0), np.maximum(factor * high, 0.0)


def wider(horizons: float) -> float:
    """By how much a band is wider for what so many horizons cannot show.

    Source: the expansion of Student's t about the normal, Abramowitz and Stegun 26.7.5.
    """
    alone = max(horizons / 2, 2.0)
    free, z = alone - 1, NORMAL
    factor = 1 + (z**2 + 1) / (4 * free) + (5 * z**4 + 16 * z**2 + 3) / (96 * free**2)
    return float(min(factor * (1 + 1 / alone) ** 0.5, MOST_WIDER))


def least(season: int, lags: int, horizon: int) -> int:
    """Values below which nothing can be held out."""
    reach = max(season, lags)
    return int(np.ceil(max((reach + horizon + 1) / TRAIN, 8 * horizon)))
