"""Whether machines still look like those that a model has learnt from, given their age.

The population stability index (PSI) compares how often a signal falls into each tenth of what was
learnt. What was learnt is taken apart by age: a young fleet is not unlike an old one for being
young. How large the index of so many machines is by chance is not taken from a table: it is that
of so many lives of the training set against the rest of it, so that few machines alarm no more
often than many.
Source: Yurdakul, "Statistical properties of population stability index", 2018 (the index depends on
the number of samples; cycles of one machine are no independent samples).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64
from gemel.core.document import Json
from gemel.services.rul.features import WINDOW

BINS = 10
AGES = 8
"""Parts of equal counts of cycles into which ages fall."""
SMOOTH = 0.005
"""Added to each share: an empty tenth is no infinity."""
LEAST = 0.1
"""An index below which nobody speaks of a shift."""
RARE = 0.99
DRAWS = 300
ENDS = 8
"""Windows that are looked at in each life."""
LEAST_CYCLES = 10
"""Of a life, before it is looked at."""
ARRAYS = ("edges", "ages", "shares", "sizes", "limits")


@dataclass(frozen=True, slots=True)
class Learnt:
    """What signals were like, and how unlike it so many machines are by chance.

    Shapes: edges (k, BINS - 1), ages (AGES - 1,), shares (AGES, k, BINS), sizes (m,),
    limits (m, k).
    """

    edges: F64
    ages: F64
    shares: F64
    sizes: F64
    limits: F64

    def histograms(self, rows: F64, there: NDArray[np.bool_]) -> F64:
        """The share of each tenth, for each machine.

        Shapes: rows (n, w, k) scaled values, there (n, w); gives (n, k, BINS).
        """
        tenth = np.stack(
            [np.searchsorted(edge, rows[:, :, i]) for i, edge in enumerate(self.edges)], axis=2
        )
        found = (tenth[..., None] == np.arange(BINS)) & there[:, :, None, None]
        counts: F64 = found.sum(axis=1) / np.maximum(there.sum(axis=1), 1)[:, None, None]
        return counts

    def windows(self, rows: F64) -> F64:
        """The share of each tenth in the `WINDOW` cycles up to each cycle of a life.

        Shapes: rows (n, k) scaled values; gives (n, k, BINS).
        """
        there = np.ones((len(rows), 1), np.bool_)
        running = np.cumsum(self.histograms(rows[:, None, :], there), axis=0)
        running[WINDOW:] = running[WINDOW:] - running[:-WINDOW]
        found: F64 = running / np.minimum(np.arange(1, len(rows) + 1), WINDOW)[:, None, None]
        return found

    def judge(self, machines: F64, age: F64) -> tuple[F64, F64]:
        """(index, limit) of each signal for these machines together.

        Shapes: machines (n, k, BINS) as `histograms` gives them, age (n,); gives (k,) and (k,).
        """
        expected = self.shares[np.searchsorted(self.ages, age)].mean(axis=0)
        return index(machines.mean(axis=0), expected), self.limit(len(machines))

    def limit(self, machines: int) -> F64:
        """The index that so many machines pass once in a hundred times by chance."""
        at = np.log(max(machines, 1))
        rows = [np.interp(at, np.log(self.sizes), column) for column in self.limits.T]
        found: F64 = np.maximum(LEAST, np.array(rows))
        return found

    def arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        return {name: getattr(self, name) for name in ARRAYS}


def index(found: F64, expected: F64) -> F64:
    """The population stability index. Shapes: (k, BINS) twice; gives (k,)."""
    one, other = ((x + SMOOTH) / (1 + BINS * SMOOTH) for x in (found, expected))
    total: F64 = ((one - other) * np.log(one / other)).sum(axis=1)
    return total


def document(paths: Sequence[str], found: tuple[F64, F64], most: int = 5) -> Json:
    """An index for people: `score` in units of its limit, and the signals furthest from theirs."""
    value, limit = found
    order = np.argsort(-value / limit, kind="stable")[:most].tolist()
    return {
        "score": round(float((value / limit).max()), 3),
        "signals": [
            {
                "property": paths[i],
                "index": round(float(value[i]), 3),
                "limit": round(float(limit[i]), 3),
            }
            for i in order
        ],
    }


def learn(rows: Sequence[F64], ages: Sequence[F64], seed: int = 1) -> Learnt:
    """What the lives that were learnt from look like.

    Shapes: each life's rows (n, k) scaled values, ages (n,).
    """
    every, age = np.concatenate(list(rows)), np.concatenate(list(ages))
    edges = np.quantile(every, np.linspace(0, 1, BINS + 1)[1:-1], axis=0).T.copy()
    inner = np.quantile(age, np.linspace(0, 1, AGES + 1)[1:-1])
    blank = Learnt(edges, inner, np.empty(0), np.empty(0), np.empty(0))
    random = np.random.default_rng(seed)
    total = np.zeros((len(rows), AGES, edges.shape[0], BINS))
    count = np.zeros((len(rows), AGES))
    windows, their_age = [], []
    for life, (mine, its_age) in enumerate(zip(rows, ages, strict=True)):
        whole = blank.windows(mine)
        part = np.searchsorted(inner, its_age)
        np.add.at(total[life], part, whole)
        np.add.at(count[life], part, 1.0)
        at = np.sort(random.integers(min(LEAST_CYCLES, len(mine)) - 1, len(mine), ENDS))
        windows.append(whole[at])
        their_age.append(part[at])
    shares = _shares(total.sum(axis=0), count.sum(axis=0))
    sizes = [n for n in (2**i for i in range(12)) if n == 1 or 2 * n <= len(rows)]
    drawn = (np.stack(windows), np.stack(their_age))
    limits = [_limit(n, drawn, total, count, random) for n in sizes]
    return Learnt(edges, inner, shares, np.array(sizes, np.float64), np.stack(limits))


def _shares(total: F64, count: F64) -> F64:
    """Shares by age; an age that nobody had is like all ages."""
    whole = total.sum(axis=0) / max(float(count.sum()), 1.0)
    found: F64 = np.where(
        count[:, None, None] > 0, total / np.maximum(count, 1.0)[:, None, None], whole
    )
    return found


def _limit(
    size: int,
    drawn: tuple[F64, NDArray[np.intp]],
    total: F64,
    count: F64,
    random: np.random.Generator,
) -> F64:
    """What so many lives are unlike the others, once in a hundred times, over all signals."""
    windows, ages = drawn
    whole, counts = total.sum(axis=0), count.sum(axis=0)
    found = np.empty((DRAWS, windows.shape[2]))
    for draw in range(DRAWS):
        lives = random.choice(len(windows), size, replace=False)
        ends = random.integers(0, windows.shape[1], size)
        if draw % 2:  # a fleet of machines that are about as old as each other
            ends[:] = ends[0]
        others = _shares(whole - total[lives].sum(axis=0), counts - count[lives].sum(axis=0))
        expected = others[ages[lives, ends]].mean(axis=0)
        found[draw] = index(windows[lives, ends].mean(axis=0), expected)
    alone = np.maximum(np.quantile(found, RARE, axis=0), LEAST)
    together = np.quantile((found / alone).max(axis=1), RARE)
    limit: F64 = alone * max(1.0, float(together))
    return limit


def learnt_of(arrays: Any) -> Learnt | None:
    """What `Learnt.arrays` gave; None in a version from before."""
    if "drift/edges" not in arrays:
        return None
    return Learnt(*(arrays[f"drift/{name}"] for name in ARRAYS))
