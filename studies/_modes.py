"""Engines that fail in two ways, made of engines that fail in one: stand-ins for such sets.

In C-MAPSS a worn compressor lowers pressures and flows that a worn fan raises, and the other way
round. So in some engines these sensors are mirrored about the engine's own healthy level, and these
wear faster: of their cycles some are left out. Which engines, and which cycles, is drawn by the
seed. Everything else, noise and differences between engines too, is as it was recorded.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from gemel.services.rul import conditions
from gemel.services.rul.conditions import Scaling
from gemel.services.rul.lives import Life
from studies._engines import SENSORS, Engines, load

MIRRORED = tuple(SENSORS.index(name) for name in ("s7", "s12", "s15", "s20", "s21"))
"""P30, phi, BPR, W31, W32."""
HEALTHY = 20
"""The first cycles of a life: its own healthy level."""
KEPT = 0.7
"""Of the cycles of an engine that fails in the other way: it wears faster by so much."""
SHARES = {"half": 0.5, "rare": 0.1}
"""By the end of a set's name, such as FD001-rare: engines that fail in the other way."""


def of_set(folder: Path, name: str, seed: int) -> tuple[Engines, np.ndarray | None]:
    """A set by its name, and which engines to test are made to fail in the other way, if any."""
    whole, _, end = name.rpartition("-")
    if end not in SHARES or not whole:
        return load(folder, name), None
    return two_modes(load(folder, whole), SHARES[end], seed)


def two_modes(engines: Engines, share: float, seed: int) -> tuple[Engines, np.ndarray]:
    """The same engines, so many of which fail in the other way; and which of those to test do."""
    random = np.random.default_rng([seed, 3])
    values = np.concatenate([life.values for life in engines.train])
    settings = np.concatenate([life.settings for life in engines.train])
    scaling = conditions.learn(settings, values)
    train = list(engines.train)
    for at in _drawn(len(train), share, random):
        train[at] = _other(train[at], scaling, random)
    test, remaining = list(engines.test), engines.remaining.copy()
    is_other = np.zeros(len(test), np.bool_)
    for at in _drawn(len(test), share, random):
        test[at] = _other(test[at], scaling, random)
        remaining[at] = random.binomial(int(remaining[at]), KEPT)
        is_other[at] = True
    return Engines(train, test, remaining), is_other


def _drawn(count: int, share: float, random: np.random.Generator) -> list[int]:
    found: list[int] = random.choice(count, round(share * count), replace=False).tolist()
    return found


def _other(life: Life, scaling: Scaling, random: np.random.Generator) -> Life:
    at = scaling.condition(life.settings)
    scaled = scaling.apply(life.settings, life.values)
    mirrored = list(MIRRORED)
    scaled[:, mirrored] = 2 * scaled[:HEALTHY, mirrored].mean(axis=0) - scaled[:, mirrored]
    values = life.values.copy()
    values[:, mirrored] = (scaled * scaling.deviation[at] + scaling.mean[at])[:, mirrored]
    keep = random.random(len(life)) < KEPT
    keep[-1] = True
    cycles = np.arange(1.0, keep.sum() + 1)
    return replace(life, values=values[keep], settings=life.settings[keep], age=cycles)
