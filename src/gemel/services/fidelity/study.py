"""The run `advise`, and the same choice for a plant that is known by its recorded lives."""

from __future__ import annotations

import time

import numpy as np

from gemel.core.document import Json
from gemel.services.contract import Job, Progress, Result
from gemel.services.fidelity.advisor import Advice, advise
from gemel.services.fidelity.ladder import LEVELS, costs, tuned, views
from gemel.services.fidelity.wear import Prices, Wear, draw

TUNING_LIVES = 2_000


def advice(
    wear: Wear, prices: Prices, tolerance: float, seed: int
) -> tuple[Advice, tuple[float, ...]]:
    """Tunes every level on lives of their own, then judges them on others."""
    random = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2)]
    limits = tuned(views(draw(wear, TUNING_LIVES, random[0])), prices)
    found = advise(LEVELS, lambda n: costs(wear, prices, limits, n, random[1]), tolerance)
    return found, limits


def advise_run(job: Job, progress: Progress) -> Result:
    """The run of the kind `fidelity`."""
    p, tolerance = job.parameters, job.instance.parameters["tolerance"]
    wear = Wear(
        p["begin"], p["rate"], p["rateSpread"], p["noise"], p["bend"], p["jitter"], p["sudden"]
    )
    prices = Prices(p["failure"], p["planned"], p["lead"])
    progress(0.1, "every level on the same lives")
    began = time.process_time()
    found, limits = advice(wear, prices, tolerance, p["seed"])
    return Result(
        document(found, limits)
        | {"tolerance": tolerance, "cpuSeconds": time.process_time() - began}
    )


def document(found: Advice, limits: tuple[float, ...]) -> Json:
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
            for one, limit in zip(found.levels, limits, strict=True)
        ],
    }
