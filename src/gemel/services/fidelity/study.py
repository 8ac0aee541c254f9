"""The run `advise`: the level of model for a plant that is known, or that recorded lives tell."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from gemel.core.batch import F64
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.contract import Job, Progress, Result
from gemel.services.fidelity.advisor import Advice, advise, judge
from gemel.services.fidelity.ladder import LEVELS, costs, settled
from gemel.services.fidelity.posterior import LEAST_DAYS, LEAST_LIVES, Posterior, posterior
from gemel.services.fidelity.wear import Lives, Prices, Wear

FIRST, MOST = 400, 1_200
"""Fleets to begin with and at most: the trial is to be surer than the recorded lives are."""
MOST_DAMAGE = 3.0
POSSIBLE, POSSIBLE_LIVES, POSSIBLE_FLEETS = 16, 1_000, 20
"""Plants that recorded lives leave possible, and what each is tuned and run on."""
DECIDED = 0.9
"""Share of the possible plants on which one level is to be the one."""


def advice(
    plant: Wear, prices: Prices, tolerance: float, seed: int
) -> tuple[Advice, tuple[float, ...]]:
    """Tunes every level on lives of their own, then judges them on others.

    Args:
        plant: as it is known, or the middle one of those that recorded lives leave possible.
        prices: of failures and replacements.
        tolerance: in shares of the best level's cost.
        seed: the same gives the same.
    """
    tuning, judging = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2)]
    limits = settled(plant, prices, tuning)

    def more(count: int) -> F64:
        return costs(plant, prices, limits, count, judging)

    return advise(LEVELS, more, tolerance, FIRST, MOST), limits


def chances(
    known: Posterior, prices: Prices, tolerance: float, random: np.random.Generator
) -> list[float]:
    """Of each level, on how many of the plants that recorded lives leave possible it is the one."""
    found = np.zeros(len(LEVELS))
    for plant in known.drawn(POSSIBLE, random):
        limits = settled(plant, prices, random, POSSIBLE_LIVES, 1)
        found[
            judge(LEVELS, costs(plant, prices, limits, POSSIBLE_FLEETS, random), tolerance).level
        ] += 1 / POSSIBLE
    shares: list[float] = found.tolist()
    return shares


def advise_run(job: Job, progress: Progress) -> Result:
    """The run of the kind `fidelity`."""
    p, tolerance = job.parameters, job.instance.parameters["tolerance"]
    plant = Wear(
        p["begin"], p["rate"], p["rateSpread"], p["noise"], p["bend"], p["jitter"], p["sudden"]
    )
    prices = Prices(p["failure"], p["planned"], p["lead"])
    began, known = time.process_time(), None
    if p["recorded"] or p["renewed"]:
        progress(0.05, "what the recorded lives tell")
        known = learnt(p["recorded"], p["renewed"], p["seed"])
        plant = known.middle()
    progress(0.1, "every level on the same lives")
    found, limits = advice(plant, prices, tolerance, p["seed"])
    answer = document(found, limits) | {"tolerance": tolerance, "plant": _plant(plant)}
    if known:
        progress(0.5, "plants that the recorded lives leave possible")
        random = np.random.default_rng([p["seed"], 1])
        each = chances(known, prices, tolerance, random)
        for row, chance in zip(answer["levels"], each, strict=True):
            row["chance"] = chance
        answer["undecided"] = undecided(each)
    return Result(answer | {"cpuSeconds": time.process_time() - began})


def undecided(chances: Sequence[float]) -> list[str]:
    """The likeliest levels that are the one on nine tenths of the plants; none where it is one."""
    order = sorted(range(len(chances)), key=lambda level: -chances[level])
    held = np.cumsum([chances[level] for level in order])
    likely = order[: int(np.searchsorted(held, DECIDED - 1e-9)) + 1]
    return [LEVELS[level] for level in sorted(likely)] if len(likely) > 1 else []


def learnt(
    recorded: Sequence[Sequence[float | None]],
    renewed: Sequence[Sequence[float | None]],
    seed: int,
) -> Posterior:
    """What lives tell, each a list of a reading a day; None where there is none.

    Args:
        recorded: to the failure of the part.
        renewed: of parts that had not failed: until they were renewed, or so far.
        seed: the same gives the same.

    Raises:
        InvalidInput: fewer than two of them ended worn, or what was read is no share of failure.
    """
    tables = [_table("recorded", recorded), _table("renewed", renewed)]
    end = np.array([len(one) for table in tables for one in table])
    seen = np.full((len(end), int(end.max(initial=1))), np.nan)
    for row, one in zip(seen, [one for table in tables for one in table], strict=True):
        row[: len(one)] = one
    has_failed = np.arange(len(end)) < len(recorded)
    found = posterior(Lives(seen, end), np.random.default_rng([seed, 2]), has_failed)
    if found is None:
        raise InvalidInput(
            f"recorded: fewer than {LEAST_LIVES} lives of {LEAST_DAYS} days and more ended worn",
            hint="give damage in shares of failure, to the day of it, or describe the plant",
        )
    return found


def _table(name: str, lives: Sequence[Sequence[float | None]]) -> list[F64]:
    found: list[F64] = [np.array(one, np.float64) for one in lives]
    for place, one in enumerate(found):
        if (np.abs(one) > MOST_DAMAGE).any():
            raise InvalidInput(
                f"{name}[{place}] has a reading beyond {MOST_DAMAGE:g}",
                hint="readings are damage in shares of failure: about 1 when a part fails worn",
            )
    return found


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


def _plant(wear: Wear) -> Json:
    names = {"rate_spread": "rateSpread"}
    return {names.get(one.name, one.name): getattr(wear, one.name) for one in fields(wear)}
