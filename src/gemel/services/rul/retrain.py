"""The run `retrain`: a new version, held against the one in use on lives that neither has seen."""

from __future__ import annotations

import numpy as np

from gemel.core.batch import F64
from gemel.core.document import Json
from gemel.services.contract import Fit, Job, Progress, Result
from gemel.services.rul.learning import (
    LEAST_LIVES,
    Settings,
    Table,
    Trained,
    given,
    judged,
    passes,
    result,
    trained,
    weights,
)
from gemel.services.rul.lives import Paths, width_of
from gemel.services.rul.model import model_of
from gemel.services.rul.review import table_of, unreadable

SURE = 1.645


def retrain(job: Job, progress: Progress) -> Result:
    """A new version, taken into use if it does better on lives that neither has seen.

    The old one has not seen the lives that have failed since it was made; the new one says of each
    what it said while that was left out.
    """
    lives, paths, settings = given(job, progress)
    found = trained(lives, paths, settings, progress)
    if job.fit is None:
        return result(job, lives, found, passes(found.scores, settings), {"why": "the first one"})
    progress(0.92, "holding it against the version in use")
    against = compared(found, job.fit, paths, width_of(job.instance.parameters), settings)
    return result(job, lives, found, against["takes"], {"against": against, "why": against["why"]})


def compared(new: Trained, fit: Fit, paths: Paths, width: int, settings: Settings) -> Json:
    """The new version beside the one in use, on lives that have failed since that was made."""
    old = model_of(fit.document, fit.arrays)
    since = fit.end // width
    mine = [i for i, x in enumerate(new.failed) if x.span >= since]
    good = passes(new.scores, settings)
    said: Json = {"lives": len(mine)}
    problem = unreadable(old, paths)
    if not good:
        return {**said, "takes": False, "why": "its intervals do not hold on lives left out"}
    if problem:
        return {**said, "takes": True, "why": problem}
    if len(mine) < LEAST_LIVES:
        why = f"{len(mine)} lives have failed since the version in use was made; {LEAST_LIVES} "
        return {**said, "takes": False, "why": why + "are needed to hold a new one against it"}
    rows = np.isin(new.table.unit, mine)
    table = new.table.take(rows)
    most = Settings(settings.level, min(old.most, settings.most))
    theirs = old.predict(table_of(old, [new.failed[i] for i in mine], paths).rows)
    ours = (new.low[rows], new.middle[rows], new.high[rows])
    (old_low, old_middle, old_high), (low, middle, high) = (
        [np.minimum(x, most.most) for x in one] for one in (theirs, ours)
    )
    before = judged(old_low, old_middle, old_high, table, most)
    now = judged(low, middle, high, table, most)
    gain, half = _gain(old_middle, middle, table, most)
    mends = passes(now, most) and not passes(before, most)
    takes = gain > 0 or mends
    why = f"RMSE {now['rmse']:g} against {before['rmse']:g} cycles on {len(mine)} lives left out"
    if mends:
        why += f"; its intervals hold ({now['coverage']:.2f} against {before['coverage']:.2f})"
    interval = [round(gain - half, 3), round(gain + half, 3)]
    return {
        **said,
        "inUse": before,
        "new": now,
        "gain": round(gain, 3),
        "gainInterval": interval,
        "takes": bool(takes),
        "why": why,
    }


def _gain(old: F64, new: F64, table: Table, of: Settings) -> tuple[float, float]:
    """How much nearer the new one is, in cycles a life, with half of its 90 % interval."""
    weight, target = weights(table.remaining, of), np.minimum(table.remaining, of.most)
    _, place = np.unique(table.unit, return_inverse=True)
    total = np.bincount(place, weight)
    each = [np.sqrt(np.bincount(place, weight * (x - target) ** 2) / total) for x in (old, new)]
    nearer = each[0] - each[1]
    half = SURE * float(nearer.std(ddof=1)) / len(nearer) ** 0.5
    return float(nearer.mean()), half
