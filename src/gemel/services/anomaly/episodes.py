"""Episodes: one notice for one excursion, however long it shakes around its limit.

A twin raises when its score reaches 1 and has stayed there for `hold` seconds; it clears when the
score has stayed below `returns` for `quiet` seconds. Within `rest` seconds after that only a
higher excursion raises again: more than `higher` times the peak before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.core.document import Json

Rows = NDArray[np.intp]
NEVER = np.iinfo(np.int64).min // 2


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds and factors of an episode."""

    hold: float = 0.0
    returns: float = 0.7
    quiet: float = 60.0
    rest: float = 600.0
    higher: float = 1.3


SAMPLE_HOLD, SAMPLES_QUIET, SAMPLES_REST = 5.0, 12, 100


def paced(given: Json, sample: float) -> Pace:
    """The pace that parameters ask for; what they leave open is as long as samples need.

    One sample of `SAMPLE_HOLD` seconds is beyond the limit for long enough; but whether an
    excursion is over a few samples cannot tell, nor whether the next one is another.
    """
    usual = Pace()
    return Pace(
        float(given.get("hold", 0.0 if sample >= SAMPLE_HOLD else SAMPLE_HOLD)),
        float(given["returns"]),
        float(given.get("quiet", max(usual.quiet, SAMPLES_QUIET * sample))),
        float(given.get("rest", max(usual.rest, SAMPLES_REST * sample))),
    )


class Episodes:
    """Where every twin stands; `step` takes one score of some of them."""

    FIELDS = ("active", "above", "below", "cleared", "peak")

    def __init__(self, count: int, pace: Pace) -> None:
        self.pace = pace
        self.active = np.zeros(count, np.bool_)
        self.above: I64 = np.full(count, NEVER, np.int64)
        """Since when the score is at 1 or more; NEVER where it is not."""
        self.below: I64 = np.full(count, NEVER, np.int64)
        """Since when it is below the return; NEVER where it is not."""
        self.cleared: I64 = np.full(count, NEVER, np.int64)
        self.peak = np.zeros(count)

    def step(self, rows: Rows, time: I64, score: F64) -> tuple[Rows, Rows]:
        """Takes scores; the places in `rows` that raise now, and those that clear."""
        pace = self.pace
        active, peak = self.active[rows], self.peak[rows]
        above = np.where(
            score >= 1.0, np.where(self.above[rows] == NEVER, time, self.above[rows]), NEVER
        )
        below = np.where(
            score < pace.returns, np.where(self.below[rows] == NEVER, time, self.below[rows]), NEVER
        )
        is_held = (above != NEVER) & (time - above >= round(pace.hold * SECOND))
        resting = time - self.cleared[rows] < round(pace.rest * SECOND)
        raises = ~active & is_held & (~resting | (score > pace.higher * peak))
        clears = active & (below != NEVER) & (time - below >= round(pace.quiet * SECOND))
        peak = np.where(raises, score, np.where(active, np.maximum(peak, score), peak))
        self.active[rows] = (active | raises) & ~clears
        self.above[rows], self.below[rows], self.peak[rows] = above, below, peak
        self.cleared[rows[clears]] = time[clears]
        return np.flatnonzero(raises), np.flatnonzero(clears)
