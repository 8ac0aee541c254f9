"""The run `advise`, and the same choice for a plant that is known by its recorded lives."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from gemel.core.batch import F64
from gemel.core.document import Json
from gemel.services.contract import Job, Progress, Result
from gemel.services.fidelity.advisor import Advice, advise
from gemel.services.fidelity.ladder import LEVELS, costs, tuned, views
from gemel.services.fidelity.wear import Prices, Wear, draw, plausible

TUNING_LIVES, LEAST_TUNING = 2_000, 1_500
GUESSES = 12
"""Plants that are thought possible."""


def advice(
    plants: Sequence[Wear], prices: Prices, tolerance: float, seed: int
) -> tuple[Advice, tuple[tuple[float, ...], ...]]:
    """Tunes every level on lives of their own, then judges them on others.

    Args:
        plants: those that it may be, each as likely; every level is tuned for each of them.
        prices: of failures and replacements.
        tolerance: in shares of the best level's cost.
        seed: the same gives the same.
    """
    random = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2)]
    lives = max(TUNING_LIVES // len(plants), LEAST_TUNING)
    limits = tuple(tuned(views(draw(wear, lives, random[0])), prices) for wear in plants)

    def more(count: int) -> F64:
        each = -(-count // len(plants))
        return np.concatenate(
            [
                costs(wear, prices, own, each, random[1])
                for wear, own in zip(plants, limits, strict=True)
            ],
            axis=1,
        )

    return advise(LEVELS, more, tolerance), limits


def advise_run(job: Job, progress: Progress) -> Result:
    """The run of the kind `fidelity`."""
    p, tolerance = job.parameters, job.instance.parameters["tolerance"]
    wear = Wear(
        p["begin"], p["rate"], p["rateSpread"], p["noise"], p["bend"], p["jitter"], p["sudden"]
    )
    prices = Prices(p["failure"], p["planned"], p["lead"])
    plants = [wear]
    if p["lives"]:
        plants = plausible(wear, p["lives"], GUESSES, np.random.default_rng([p["seed"], 1]))
    progress(0.1, "every level on the same lives")
    began = time.process_time()
    found, limits = advice(plants, prices, tolerance, p["seed"])
    return Result(
        document(found, limits)
        | {"tolerance": tolerance, "cpuSeconds": time.process_time() - began}
    )


def document(found: Advice, limits: tuple[tuple[float, ...], ...]) -> Json:
    return {
        "level": found.levels[found.level].name,
        "best": found.levels[found.best].name,
        "isSure": found.is_sure,
        "fleets": found.scenarios,
        "levels": [
            {
                "name": one.name,
                "costADay": one.cost,
                "regret": one.regret,
                "low": one.low,
                "high": one.high,
                "limit": limit if one.name in ("age", "level") else -limit,
            }
            for one, limit in zip(found.levels, np.median(limits, axis=0).tolist(), strict=True)
        ],
    }
