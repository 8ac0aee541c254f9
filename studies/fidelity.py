"""The fidelity advisor on 20 random plants: does it name the level that a full evaluation names?

Decision: when to order the replacement of a part that wears. The advisor sees 40 recorded lives of
the plant, fits its own simulator to them, and tunes and runs the four levels in closed loop on
plants that such lives leave possible. Its simulator can bend, jitter and fail suddenly as the
plant does; only numbers have to be learnt.
The truth runs the levels, tuned on 2,000 of the plant's own lives, on 30,000 others. Tolerance: 2 %
of the cost. Naive comparison: the level whose forecast of remaining life has the least RMSE.

Marks, written before the first run: the advisor's level is the one of the full evaluation on
>= 90 % of the plants; where it errs the median regret of its level is <= 5 %.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gemel.services.fidelity.advisor import judge
from gemel.services.fidelity.ladder import LEVELS, costs, tuned, views
from gemel.services.fidelity.study import advice
from gemel.services.fidelity.wear import Lives, Prices, Wear, draw, learnt, plausible
from studies import Options

TOLERANCE = 0.02
RECORDED, GUESSES = 40, 8
MARKS = {"right": 0.9, "regretWhenWrong": 0.05}


def run(options: Options) -> dict[str, Any]:
    plants = 2 if options.small else 20
    fleets = 80 if options.small else 600
    rows = []
    for number in range(plants):
        seeds = np.random.SeedSequence([options.seed, number]).spawn(5)
        random = [np.random.default_rng(seed) for seed in seeds]
        wear, prices = _plant(random[0])
        recorded = draw(wear, RECORDED, random[1])
        guesses = plausible(learnt(recorded, Wear()), RECORDED, GUESSES, random[4])
        chosen, _ = advice(guesses, prices, TOLERANCE, number)
        limits = tuned(views(draw(wear, 1_000 if options.small else 2_000, random[2])), prices)
        found = costs(wear, prices, limits, fleets, random[3])
        truth = judge(LEVELS, found, TOLERANCE)
        naive = _least_rmse(recorded)
        rows.append(
            {
                "advised": LEVELS[chosen.level],
                "true": LEVELS[truth.level],
                "naive": LEVELS[naive],
                "isSure": chosen.is_sure,
                "truthIsSure": truth.is_sure,
                "advisedRegret": truth.levels[chosen.level].regret,
                "naiveRegret": truth.levels[naive].regret,
                "regrets": [one.regret for one in truth.levels],
                "lead": prices.lead,
            }
        )
    return _summary(rows)


def _plant(random: np.random.Generator) -> tuple[Wear, Prices]:
    wear = Wear(
        random.uniform(0.05, 0.3),
        random.uniform(0.01, 0.05),
        random.uniform(0.05, 0.6),
        random.uniform(0.01, 0.12),
        random.uniform(0.8, 1.5),
        random.uniform(0.0, 1.0),
        random.uniform(0.0, 0.002),
    )
    return wear, Prices(random.uniform(3, 20), 1.0, int(random.integers(1, 30)))


def _least_rmse(history: Lives) -> int:
    """By error of the remaining life on the recorded lives, each level made to forecast it."""
    seen = views(history)
    days = np.arange(seen.score.shape[1])[:, None]
    is_alive = (days < seen.end) & (days >= 5)
    left = (seen.end - days)[is_alive]
    errors = []
    for level, score in enumerate(seen.score):
        found = score[is_alive]
        if level >= 2:
            forecast = np.minimum(-found, 2 * seen.end.mean())
        else:
            forecast = np.polyval(np.polyfit(found, left, 1), found)
        errors.append(float(np.sqrt(np.mean((forecast - left) ** 2))))
    return int(np.argmin(errors))


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    right = [row["advised"] == row["true"] for row in rows]
    wrong = [row["advisedRegret"] for row, ok in zip(rows, right, strict=True) if not ok]
    naive = [row["naive"] == row["true"] for row in rows]
    share = float(np.mean(right))
    median = float(np.median(wrong)) if wrong else 0.0
    return {
        "plants": len(rows),
        "tolerance": TOLERANCE,
        "recordedLives": RECORDED,
        "marks": MARKS,
        "right": share,
        "withinTolerance": float(np.mean([r["advisedRegret"] <= TOLERANCE for r in rows])),
        "regretWhenWrong": median,
        "meanRegret": float(np.mean([r["advisedRegret"] for r in rows])),
        "naiveRight": float(np.mean(naive)),
        "naiveMeanRegret": float(np.mean([r["naiveRegret"] for r in rows])),
        "trueLevels": {name: sum(r["true"] == name for r in rows) for name in LEVELS},
        "met": share >= MARKS["right"] and median <= MARKS["regretWhenWrong"],
        "byPlant": rows,
    }
