"""Variants of a design: a grid or a latin hypercube, ranked, and those that nothing beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64
from gemel.core.document import Json
from gemel.services.whatif.figures import band
from gemel.services.whatif.scenario import Kpi, Sweep
from gemel.services.whatif.variants import Variant


def points(sweep: Sweep, seed: int) -> F64:
    """The values of what is varied: (variants, varied).

    Source: McKay, Beckman and Conover, Technometrics 21 (1979), for the latin hypercube.
    """
    lows = np.array([v.low for v in sweep.vary])
    highs = np.array([v.high for v in sweep.vary])
    if sweep.design == "grid":
        axes = [np.linspace(v.low, v.high, v.levels) for v in sweep.vary]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    generator = np.random.default_rng([seed, 3])
    cells = np.stack([generator.permutation(sweep.count) for _ in sweep.vary], axis=1)
    share = (cells + generator.random(cells.shape)) / sweep.count
    found: F64 = lows + share * (highs - lows)
    return found


def variants_of(sweep: Sweep, found: F64, base: Variant) -> list[Variant]:
    """Each point as a variant, on top of what is different anyway."""
    return [
        Variant(
            (
                *base.changes,
                *(replace(v.change, value=float(x)) for v, x in zip(sweep.vary, row, strict=True)),
            ),
            sweep.members,
        )
        for row in found
    ]


def not_dominated(costs: F64) -> NDArray[np.bool_]:
    """Which rows no other row is at least as good as in all columns and better in one.

    Shapes: costs (n, goals), less is better; the answer (n,).
    """
    as_good = (costs[:, None] <= costs[None]).all(axis=2)
    better = (costs[:, None] < costs[None]).any(axis=2)
    found: NDArray[np.bool_] = ~np.atleast_1d((as_good & better).any(axis=0))
    return found


def ranks(costs: F64) -> NDArray[np.int64]:
    """0 for those that nothing beats, 1 for those that only rank 0 beats, and so on.

    Source: Deb and others, A fast and elitist multiobjective genetic algorithm: NSGA-II (2002).
    """
    found = np.full(len(costs), -1, np.int64)
    rank = 0
    while (found < 0).any():
        left = np.flatnonzero(found < 0)
        found[left[not_dominated(costs[left])]] = rank
        rank += 1
    return found


def ranked(sweep: Sweep, found: F64, kpis: Sequence[Kpi], figures: Sequence[Sequence[F64]]) -> Json:
    """The sweep's table, the best first.

    Args:
        sweep: what was varied.
        found: the points (n, varied).
        kpis: all key figures; those with a `best` are goals.
        figures: by variant and key figure, the members' values.
    """
    goals = [i for i, kpi in enumerate(kpis) if kpi.best]
    means = np.array([[float(np.mean(row)) for row in one] for one in figures])
    means = means.reshape(len(figures), len(kpis))
    signs = np.array([1.0 if kpis[i].best == "low" else -1.0 for i in goals])
    costs = means[:, goals] * signs if goals else np.zeros((len(figures), 1))
    costs = np.where(np.isfinite(costs), costs, np.inf)
    rank = ranks(costs)
    spread = np.ptp(np.where(np.isfinite(costs), costs, 0), axis=0)
    least = np.where(np.isfinite(costs), costs, np.nanmax(costs)).min(axis=0)
    score = ((costs - least) / np.where(spread > 0, spread, 1.0)).mean(axis=1)
    order = np.lexsort((score, rank))
    return {
        "vary": [v.change.words.rsplit(" =", 1)[0] for v in sweep.vary],
        "goals": [kpis[i].id for i in goals],
        "design": sweep.design,
        "members": sweep.members,
        "variants": [
            {
                "number": int(i),
                "values": [float(x) for x in found[i]],
                "rank": int(rank[i]),
                "score": float(score[i]) if np.isfinite(score[i]) else None,
                "kpis": [band(row) for row in figures[i]],
            }
            for i in order
        ],
    }
