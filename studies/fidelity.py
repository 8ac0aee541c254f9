"""The fidelity advisor on 20 random plants: does it name the level that a full evaluation names?

Decision: when to order the replacement of a part that wears. The advisor sees 40 recorded lives of
the plant, learns from them which plants may have had such lives, and tunes and runs the four levels
in closed loop on the middle one. Its simulator can bend, jitter and fail suddenly as the plant
does; only numbers have to be learnt.
The truth runs the levels on 30,000 of the plant's own lives, and on up to 180,000 until it is sure
of the level; each limit is the mean of those set on four times 2,000 others. Tolerance: 2 % of the
cost. Where the last trial is not sure, its estimate decides, of the truth as of the advisor.
Naive comparison: the level whose forecast of remaining life has the least RMSE.

`--set history` shows what more lives buy: 20, 40, 80 and 160 of the same plant, and 40 of which
about half were renewed before they failed, used and dropped (marks: fidelity_history.json).

Marks (studies/marks/fidelity.json), those of before the first run: the advisor's level is the one
of the full evaluation on >= 90 % of the plants; where it errs the median regret is <= 5 %.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.services.fidelity.advisor import Advice, advise
from gemel.services.fidelity.ladder import LEVELS, costs, settled, views
from gemel.services.fidelity.posterior import posterior
from gemel.services.fidelity.study import DECIDED, advice, chances
from gemel.services.fidelity.wear import Lives, Prices, Wear, draw
from studies import Options, StudyError

TOLERANCE = 0.02
RECORDED = 40
HISTORY = "history"
LIVES = (20, 40, 80, 160)
RENEWED = (0.4, 1.6)
"""Of the median life: between these ages lie the planned renewals."""
MARKS = Path(__file__).parent / "marks" / "fidelity.json"


def sets(options: Options) -> list[str]:
    return [HISTORY]


def run(options: Options) -> dict[str, Any]:
    plants = 2 if options.small else 20
    if options.set == HISTORY:
        small = options.small
        return summary_of_histories([history(options.seed, n, small) for n in range(plants)])
    return _summary([_judged(options.seed, number, options.small) for number in range(plants)])


def _judged(seed: int, number: int, is_small: bool) -> dict[str, Any]:
    """One plant: what is advised, what is true, and what the least error would have chosen."""
    seeds = np.random.SeedSequence([seed, number]).spawn(5)
    random = [np.random.default_rng(one) for one in seeds]
    wear, prices = _plant(random[0])
    recorded = draw(wear, RECORDED, random[1])
    known = posterior(recorded, random[4])
    if known is None:
        raise StudyError(f"plant {number}: too few of {RECORDED} lives ended worn")
    chosen, _ = advice(known.middle(), prices, TOLERANCE, number)
    truth = _truth(wear, prices, random[2], random[3], is_small)
    naive = _least_rmse(recorded)
    return {
        "advised": LEVELS[chosen.level],
        "true": LEVELS[truth.level],
        "naive": LEVELS[naive],
        "isSure": chosen.is_sure,
        "truthIsSure": truth.is_sure,
        "advisedRegret": truth.levels[chosen.level].regret,
        "naiveRegret": truth.levels[naive].regret,
        "advisedRegrets": [one.regret for one in chosen.levels],
        "regrets": [one.regret for one in truth.levels],
        "lead": prices.lead,
    }


def history(seed: int, number: int, is_small: bool) -> dict[str, Any]:
    """One plant: what is advised from few lives and from many, and the level that is true."""
    seeds = np.random.SeedSequence([seed, number]).spawn(5)
    random = [np.random.default_rng(one) for one in seeds]
    wear, prices = _plant(random[0])
    lives = draw(wear, LIVES[-1], random[1])
    truth = _truth(wear, prices, random[2], random[3], is_small)
    cut, has_failed = _renewed(_first(lives, RECORDED), random[4])
    kept = Lives(cut.seen[has_failed], cut.end[has_failed])
    rows = {str(n): _advised(_first(lives, n), None, prices, number) for n in LIVES}
    rows["renewedUsed"] = _advised(cut, has_failed, prices, number)
    rows["renewedDropped"] = _advised(kept, None, prices, number)
    for row in rows.values():
        row["right"] = row["level"] == LEVELS[truth.level]
    level = LEVELS[truth.level]
    return {"true": level, "failed": float(has_failed.mean()), "histories": rows}


def _first(lives: Lives, count: int) -> Lives:
    return Lives(lives.seen[:count], lives.end[:count])


def _renewed(lives: Lives, random: np.random.Generator) -> tuple[Lives, NDArray[np.bool_]]:
    """The same parts, renewed at an age planned for each; and whether each has failed before."""
    plan = random.uniform(*RENEWED, len(lives.end)) * np.median(lives.end)
    end = np.minimum(lives.end, plan.astype(np.int64))
    day = np.arange(lives.seen.shape[1])
    return Lives(np.where(day < end[:, None], lives.seen, np.nan), end), lives.end <= end


def _advised(
    lives: Lives, has_failed: NDArray[np.bool_] | None, prices: Prices, number: int
) -> dict[str, Any]:
    known = posterior(lives, np.random.default_rng([number, 2]), has_failed)
    if known is None:
        return {"level": None, "chance": 0.0}
    chosen, _ = advice(known.middle(), prices, TOLERANCE, number)
    each = chances(known, prices, TOLERANCE, np.random.default_rng([number, 1]))
    return {"level": LEVELS[chosen.level], "chance": each[chosen.level]}


def summary_of_histories(plants: list[dict[str, Any]]) -> dict[str, Any]:
    """How often each history tells the level, and how often where it says that it is decided."""
    names = list(plants[0]["histories"])
    by: dict[str, Any] = {}
    for name in names:
        rows = [plant["histories"][name] for plant in plants]
        decided = [row["right"] for row in rows if row["chance"] >= DECIDED]
        by[name] = {
            "right": sum(row["right"] for row in rows),
            "decided": len(decided),
            "rightWhereDecided": sum(decided),
            "refused": sum(row["level"] is None for row in rows),
        }
    failed = float(np.mean([plant["failed"] for plant in plants]))
    return {"plants": len(plants), "failed": failed, "histories": by, "byPlant": plants}


def _truth(
    wear: Wear,
    prices: Prices,
    tuning: np.random.Generator,
    judging: np.random.Generator,
    is_small: bool,
) -> Advice:
    """What the levels cost on the plant itself; until it is sure, by one rule for all."""
    lives, times, first, most = (1_000, 1, 80, 80) if is_small else (2_000, 4, 600, 3_600)
    limits = settled(wear, prices, tuning, lives, times)
    return advise(
        LEVELS, lambda count: costs(wear, prices, limits, count, judging), TOLERANCE, first, most
    )


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
    share, marks = float(np.mean(right)), json.loads(MARKS.read_text("utf-8"))["marks"]
    median = float(np.median(wrong)) if wrong else 0.0
    sure = [ok for row, ok in zip(rows, right, strict=True) if row["truthIsSure"]]
    return {
        "plants": len(rows),
        "tolerance": TOLERANCE,
        "recordedLives": RECORDED,
        "marks": marks,
        "right": share,
        "truthIsSure": len(sure) / len(rows),
        "rightWhereTruthIsSure": float(np.mean(sure)) if sure else None,
        "withinTolerance": float(np.mean([r["advisedRegret"] <= TOLERANCE for r in rows])),
        "regretWhenWrong": median,
        "meanRegret": float(np.mean([r["advisedRegret"] for r in rows])),
        "naiveRight": float(np.mean(naive)),
        "naiveMeanRegret": float(np.mean([r["naiveRegret"] for r in rows])),
        "trueLevels": {name: sum(r["true"] == name for r in rows) for name in LEVELS},
        "met": share >= marks["right"] and median <= marks["regretWhenWrong"],
        "byPlant": rows,
    }
