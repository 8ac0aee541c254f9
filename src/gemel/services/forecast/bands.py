"""How sure a forecast is: the quantiles of its errors at each step, on data held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64
from gemel.services.forecast.models import Ridge, fit, seasonal, windows

TRAIN = 0.7
LOW, HIGH = 0.05, 0.95


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

    The first 70 % fit, the next 15 % choose the model and give the errors of its band, the last
    15 % judge both. Then all is fitted anew. Shapes: values (n,), evenly spaced, finite.
    """
    count = len(values)
    cut, end = int(TRAIN * count), int((1 + TRAIN) / 2 * count)
    trained = fit(values[:cut], lags, horizon)
    reach = max(lags, season)

    def errors(begin: int, until: int) -> dict[str, F64]:
        before, after = windows(values[begin - reach : until], reach, horizon)
        naive = np.stack([seasonal(row, season, horizon) for row in before])
        return {"ridge": after - trained.forecast(before), "seasonal": after - naive}

    chosen, judged = errors(cut, end), errors(end, count)
    model = min(chosen, key=lambda name: float((chosen[name] ** 2).mean()))
    low, high = (np.quantile(chosen[model], q, axis=0) for q in (LOW, HIGH))
    inside = (judged[model] >= low) & (judged[model] <= high)
    scores = {
        "rmse": float(np.sqrt((judged[model] ** 2).mean())),
        "rmseSeasonal": float(np.sqrt((judged["seasonal"] ** 2).mean())),
        "coverage": float(inside.mean()),
        "width": float((high - low).mean()),
        "windows": float(len(inside)),
    }
    ridge = fit(values, lags, horizon)
    ahead = ridge.forecast(values) if model == "ridge" else seasonal(values, season, horizon)
    return Forecast(ahead, ahead + low, ahead + high, model, scores, ridge)


def least(season: int, lags: int, horizon: int) -> int:
    """Values below which nothing can be held out."""
    reach = max(season, lags)
    return int(np.ceil(max((reach + horizon + 1) / TRAIN, 8 * horizon)))
