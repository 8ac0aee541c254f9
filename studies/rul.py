"""Remaining life of C-MAPSS engines: RMSE, NASA score, and whether 90 % intervals hold.

The model is learnt from the training engines; intervals come from training engines that were left
out, five parts by engine. All choices were made on those; each test engine is looked at once, at
its last row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gemel.core.errors import GemelError
from gemel.services.rul import learning
from gemel.services.rul.features import WINDOW
from gemel.services.rul.lives import Life
from gemel.services.rul.model import AGE, LEARNT, LEVELS, TREND, Model
from studies import Options, StudyError
from studies._engines import PATHS, default_of, sets_of
from studies._modes import SHARES, of_set

CAP = 125.0
PUBLISHED = {  # RMSE and score, test capped at 125; LLerDagu/RUL-FFVE, Benchmark.md
    "FD001": {"MTSTAN": [10.97, 175], "FFVE": [12.31, 280], "CNN": [18.45, 1299]},
    "FD002": {"MTSTAN": [16.81, 1154], "FFVE": [12.55, 772], "CNN": [30.29, 13_600]},
    "FD003": {"MTSTAN": [10.90, 188], "FFVE": [12.43, 302]},
    "FD004": {"MTSTAN": [18.85, 1446], "FFVE": [14.08, 1149], "CNN": [29.16, 7890]},
}


def sets(options: Options) -> list[str]:
    there = sets_of(options.folder("cmapss"))
    return [*there, *(f"{name}-{end}" for name in there for end in SHARES)]


def run(options: Options) -> dict[str, Any]:
    folder = options.folder("cmapss")
    name = options.set or default_of(folder)
    engines, is_other = of_set(folder, name, options.seed)
    train, test, truth = engines.train, engines.test, engines.remaining
    settings = learning.Settings(seed=options.seed)
    if options.small:
        train = train[::3]
        settings = replace(settings, trees=150, folds=3)
    found: dict[str, Any] = {"set": name, "trainEngines": len(train), "testEngines": len(test)}
    levels = {}
    for level in LEVELS:
        model, left_out = _learnt(train, replace(settings, level=level))
        levels[level] = figures(model, test, truth) | {"leftOut": left_out}
        if level == LEARNT:
            found["conditions"] = len(model.scaling.centres)
            found["signals"] = len(model.paths)
            found["truncation"] = truncation(model, train[:10])
            if is_other is not None:
                found["byMode"] = _by_mode(model, test, truth, is_other)
    found |= levels[LEARNT]
    found["levels"] = {level: levels[level] for level in (TREND, AGE)}
    found["drift"] = drifts(train, test, options.seed)
    found["constant"] = _errors(np.full(len(truth), np.mean(np.minimum(truth, CAP))), truth)
    return found | {"published": PUBLISHED.get(name, {})}


def _learnt(train: Sequence[Life], settings: learning.Settings) -> tuple[Model, dict[str, Any]]:
    try:
        return learning.learn(train, PATHS, settings, lambda share, what: None)
    except GemelError as error:
        raise StudyError(f"the training engines: {error}") from None


def figures(model: Model, test: Sequence[Life], truth: np.ndarray) -> dict[str, Any]:
    rows = np.concatenate([last_row(model, life) for life in test])
    low, middle, high = model.predict(rows)
    capped = np.minimum(truth, model.most)
    is_open = high >= model.most - 1e-9
    return _errors(middle, truth) | {
        "coverage": float(np.mean((capped >= low) & (capped <= high))),
        "coverageUncapped": float(np.mean((truth >= low) & ((truth <= high) | is_open))),
        "coverageUncappedStrict": float(np.mean((truth >= low) & (truth <= high))),
        "width": float(np.mean(high - low)),
        "openAbove": float(np.mean(is_open)),
    }


def _by_mode(
    model: Model, test: Sequence[Life], truth: np.ndarray, is_other: np.ndarray
) -> dict[str, Any]:
    """The figures of engines as they were recorded, and of those made to fail in another way."""
    found = {}
    for name, mine in (("recorded", ~is_other), ("mirrored", is_other)):
        lives = [life for life, is_mine in zip(test, mine, strict=True) if is_mine]
        found[name] = {"engines": len(lives), **figures(model, lives, truth[mine])}
    return found


def last_row(model: Model, life: Life) -> np.ndarray:
    return rows_of(model, life)[-1:]


def rows_of(model: Model, life: Life) -> np.ndarray:
    keep = np.array([PATHS.values.index(path) for path in model.paths], np.intp)
    return learning.features_of(model, life, keep)


def truncation(model: Model, lives: Sequence[Life]) -> bool:
    """Whether a life that is cut short gives the same features: nothing comes from the future."""
    for life in lives:
        whole = rows_of(model, life)
        for cut in (1, 7, 21, 60, len(life) - 1):
            part = replace(
                life, values=life.values[:cut], settings=life.settings[:cut], age=life.age[:cut]
            )
            if not np.array_equal(rows_of(model, part), whole[:cut]):
                return False
    return True


SHIFTS = (0.0, 0.5, 1.0, 2.0)
MACHINES = (1, 5, 20)
FLEETS = 100


def drifts(train: Sequence[Life], test: Sequence[Life], seed: int) -> dict[str, Any]:
    """How often fleets of test engines are said to be unlike the training engines.

    As they are, and with one signal, drawn anew for each fleet, shifted by so many of its
    deviations; each engine at its last row.
    """
    random = np.random.default_rng(seed)
    model, *_ = learning.prepared(train, PATHS, learning.Settings())
    learnt = learning.look_of(model, train, PATHS, learning.Settings())
    keep = learning.places_of(model, PATHS)
    rows = [learning.scaled_of(model, life, keep) for life in test]
    age = np.array([life.age[-1] for life in test])
    said: dict[str, Any] = {}
    for machines in (n for n in MACHINES if n <= len(test)):
        share = []
        for shift in SHIFTS:
            alarms = 0
            for _ in range(FLEETS):
                mine = random.choice(len(rows), machines, replace=False)
                by = np.zeros(len(model.paths))
                by[random.integers(len(by))] = shift
                looks = np.stack([learnt.windows(rows[i][-WINDOW:] + by)[-1] for i in mine])
                own, limit = learnt.judge(looks, age[mine])
                alarms += bool((own > limit).any())
            share.append(alarms / FLEETS)
        said[f"{machines} engines"] = dict(zip(map(str, SHIFTS), share, strict=True))
    return said


def _errors(found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    capped = np.minimum(truth, CAP)
    return {
        "rmse": _rmse(found - capped),
        "score": score(found - capped),
        "rmseUncapped": _rmse(found - truth),
        "scoreUncapped": score(found - truth),
        "bias": float(np.mean(found - capped)),
    }


def _rmse(off: np.ndarray) -> float:
    return float(np.sqrt(np.mean(off**2)))


def score(off: np.ndarray) -> float:
    """NASA's: what is told too late weighs more."""
    return float(np.where(off < 0, np.exp(-off / 13) - 1, np.exp(off / 10) - 1).sum())
