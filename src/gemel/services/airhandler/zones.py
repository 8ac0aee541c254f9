"""Zones of a building by two exponentials each: learnt from history without a search.

A zone's temperature is the sum of what a quick and a slow exponential make of each input; that is
a network of two resistances and two capacities in its own axes. With the two time constants held
the rest is linear, so that every pair on a grid is solved exactly and the best is taken: there are
no starts and no local optima.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64
from gemel.core.errors import InvalidInput, Unavailable

QUICK, SLOW = (0.5, 1.0, 2.0, 4.0), (12.0, 24.0, 48.0, 96.0, 192.0)
"""Time constants that are tried, h."""
INPUTS = ("base", "outdoor", "heat", "morning", "noon", "evening", "use")
"""Of a zone: a constant, °C, W, the sun (W/m²) before 11, until 15 and after, and 1 in hours of
use."""
HEAT = INPUTS.index("heat")
EITHER = [0, 1, len(INPUTS), 2 * len(INPUTS), 2 * len(INPUTS) + 1]
"""Columns of a fit that may be below 0: the constants, the quick answer to the weather, starts."""
CUTS = 0.6, 0.8
"""The first part is fitted, the pair is chosen on the second, the last judges."""
RIDGE = 1e-5
"""Of the mean square of a column: keeps what the data cannot tell small."""


@dataclass(frozen=True, slots=True)
class Zones:
    """All zones of one air handler. Shapes: kept (2, Z), gain (2, U, Z), rmse (Z,)."""

    kept: F64
    """Share of each exponential that is left after a step."""
    gain: F64
    """What one unit of an input adds to it in a step."""
    rmse: F64
    """Of a free run over what was held out, K."""

    @property
    def answer(self) -> F64:
        """K by one W during a step, (Z,)."""
        found: F64 = self.gain[:, HEAT].sum(axis=0)
        return found


def filtered(inputs: F64, kept: F64) -> F64:
    """What exponentials make of inputs from nothing: (T, U, Z) by (P,) -> (T, P, U, Z)."""
    found = np.empty((len(inputs), len(kept), *inputs.shape[1:]))
    now = np.zeros(found.shape[1:])
    share = kept[:, None, None]
    for k, row in enumerate(inputs):
        now = share * now + (1.0 - share) * row
        found[k] = now
    return found


def learn(inputs: F64, read: F64, seconds: float) -> Zones:
    """The zones with which a free run comes closest to what was read.

    Args:
        inputs: (T, U, Z), each holding during its step.
        read: (T, Z) at the ends of steps, °C; NaN where nothing was read.
        seconds: of a step.

    Raises:
        InvalidInput: too little data, or heat does not warm a zone.
        Unavailable: scipy is not installed.
    """
    hours = np.array([*QUICK, *SLOW])
    kept = np.exp(-seconds / 3600.0 / hours)
    answers = filtered(inputs, kept)
    decay = kept ** np.arange(1.0, len(inputs) + 1)[:, None]
    cuts = round(len(inputs) * CUTS[0]), round(len(inputs) * CUTS[1])
    zones = range(read.shape[1])
    found = [_one(answers[..., z], decay, read[:, z], cuts, z) for z in zones]
    pairs = np.array([pair for pair, _, _ in found]).T
    gain = np.stack([g for _, g, _ in found], axis=2)
    return Zones(kept[pairs], gain * (1.0 - kept[pairs])[:, None], np.array([r for *_, r in found]))


def _one(
    answers: F64, decay: F64, read: F64, cuts: tuple[int, int], zone: int
) -> tuple[tuple[int, int], F64, float]:
    """One zone: the pair of exponentials, gains (2, U), and the error where it was held out."""
    seen, place = np.isfinite(read), np.arange(len(read))
    fit, choose, judge = (
        seen & (place < cuts[0]),
        seen & (place >= cuts[0]) & (place < cuts[1]),
        seen & (place >= cuts[1]),
    )
    if fit.sum() < 8 * len(INPUTS) or min(choose.sum(), judge.sum()) < len(INPUTS):
        raise InvalidInput(f"zone {zone + 1}: {int(seen.sum())} steps are too few", hint="`span`")
    tried = []
    for i in range(len(QUICK)):
        for j in range(len(QUICK), len(QUICK) + len(SLOW)):
            table = _table(answers, decay, (i, j))
            error = float(np.mean((table @ _solved(table[fit], read[fit]) - read)[choose] ** 2))
            tried.append((error, (i, j)))
    for _, pair in sorted(tried):
        table = _table(answers, decay, pair)
        early = fit | choose
        off = (table @ _solved(table[early], read[early]) - read)[judge]
        gain = _solved(table[seen], read[seen])[: 2 * len(INPUTS)].reshape(2, -1)
        if gain[0, HEAT] > 0:
            return pair, gain, float(np.sqrt(np.mean(off**2)))
    raise InvalidInput(
        f"zone {zone + 1} does not get warmer by its heat",
        hint="'heat' is W into the zone, negative where it is cooled",
    )


def _table(answers: F64, decay: F64, pair: tuple[int, int]) -> F64:
    parts = answers[:, list(pair)].reshape(len(answers), -1)
    return np.concatenate((parts, decay[:, list(pair)]), axis=1)


def _solved(table: F64, read: F64) -> F64:
    """Least squares; heat, sun and use warm, and so does slowly the weather."""
    try:
        from scipy.optimize import nnls
    except ModuleNotFoundError:
        raise Unavailable("learning needs scipy", hint="pip install gemel[services]") from None
    size = np.sqrt(np.mean(table**2, axis=0)) + 1e-12
    root, turned = np.linalg.qr(table / size)[::-1]
    small, known = root, turned.T @ read
    prior = np.sqrt(RIDGE * len(table)) * np.eye(len(size))
    rows = np.concatenate((small, prior))
    wanted = np.concatenate((known, np.zeros(len(size))))
    found = np.asarray(nnls(np.concatenate((rows, -rows[:, EITHER]), axis=1), wanted)[0], float)
    solved = found[: len(size)]
    solved[EITHER] -= found[len(size) :]
    scaled: F64 = solved / size
    return scaled


def settled(zones: Zones, inputs: F64, read: F64) -> F64:
    """The exponentials (2, Z) after the last step, from the start that fits the readings best.

    What is still off in the last readings is taken to be in the slow one.
    """
    steps, count = read.shape
    forced = np.zeros((2, count))
    path = np.empty((steps, count))
    for k in range(steps):
        forced = zones.kept * forced + (zones.gain * inputs[k]).sum(axis=1)
        path[k] = forced.sum(axis=0)
    decay = zones.kept ** np.arange(1, steps + 1)[:, None, None]
    found = np.empty((2, count))
    for z in range(count):
        seen = np.isfinite(read[:, z])
        if not seen.any():
            raise InvalidInput(f"zone {z + 1} has no reading of its temperature", hint="`span`")
        table, off = decay[seen, :, z], (read - path)[seen, z]
        start = np.linalg.lstsq(table, off, rcond=1e-3)[0]
        late = (off - table @ start)[-4:].mean()
        found[:, z] = forced[:, z] + zones.kept[:, z] ** steps * start + np.array([0.0, late])
    return found
