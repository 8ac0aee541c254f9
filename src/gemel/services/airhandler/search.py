"""The cheapest set points of an air handler for the hours to come, of all on a grid.

Each candidate is a supply temperature, a duct pressure, a least share of outdoor air, and the steps
at which the fan starts and stops. All are run at once through the learnt zones, whose boxes do what
thermostats do: open for cooling, then reheat at the least flow.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from gemel.core.batch import F64
from gemel.services.airhandler.equipment import AIR_HEAT, Air, Equipment, mixed
from gemel.services.airhandler.zones import HEAT, Zones

OUTDOOR_CO2 = 420.0
LEAK = 0.05
"""Of a zone's air that is changed by itself in an hour."""
Grid = dict[str, list[float]]
LEVERS = ("supply", "pressure", "fresh", "start", "stop")


@dataclass(frozen=True, slots=True)
class Boxes:
    """Of the zones' air terminals. Shapes: (Z,)."""

    least: F64
    """m³/s while the fan runs."""
    most: F64
    """m³/s at `design` Pa in the duct."""
    reheat: F64
    """W at most."""
    volume: F64
    """m³ of air in the zone."""
    design: float
    heats: F64
    """°C at which its thermostat keeps a zone from below while the fan runs."""
    cools: F64
    """°C at which it does from above."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is expected, by step. Shapes: inputs (T, U, Z), co2 (T, Z), the others (T,)."""

    inputs: F64
    """As `zones.INPUTS`; heat is not read."""
    outdoor: F64
    is_used: F64
    """1 in steps in which the zones are used."""
    low: F64
    high: F64
    co2: F64
    """That people give, ppm m³/s."""


@dataclass(frozen=True, slots=True)
class Prices:
    """kWh that something is worth."""

    degree: float
    """A K.h of one zone outside its band."""
    co2: float
    """1000 ppm.h of one zone above `limit`."""
    limit: float


@dataclass(frozen=True, slots=True)
class Then:
    """Set points (supply, pressure, fresh) that follow after so many steps."""

    given: tuple[float, float, float]
    after: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of all candidates. Shapes: (C,); first (Z, C)."""

    kwh: F64
    degrees: F64
    """K.h outside the band, sum of zones."""
    excess: F64
    """ppm.h above the limit, sum of zones."""
    cost: F64
    temperatures: F64
    """(T, Z, C) at the ends of steps."""


def candidates(grid: Grid) -> F64:
    """All combinations, (5, C), rows as LEVERS."""
    return np.array(list(product(*(grid[name] for name in LEVERS)))).T


def tried(
    zones: Zones, equipment: Equipment, boxes: Boxes, start: F64, co2: F64, ahead: Ahead,
    given: F64, prices: Prices, seconds: float, then: Then | None = None,
) -> Outcome:  # fmt: skip
    """What each candidate comes to.

    Args:
        then: set points that follow for all; without them a candidate's hold to the end.
        start: the exponentials now, (2, Z).
        co2: ppm now, (Z,).
        given: candidates (5, C).
    """
    count, hours = given.shape[1], seconds / 3600
    supply, pressure, fresh, begin, end = given
    following = None if then is None else np.repeat(np.array(then.given)[:, None], count, axis=1)
    state = np.repeat(start[:, :, None], count, axis=2)
    level = np.repeat(co2[:, None], count, axis=1)
    now = state.sum(axis=0)
    kwh, degrees, excess = np.zeros((3, count))
    path = np.empty((len(ahead.outdoor), *now.shape))
    others = zones.gain.copy()
    others[:, HEAT] = 0.0
    for k, outdoor in enumerate(ahead.outdoor):
        if then is not None and following is not None and k == then.after:
            supply, pressure, fresh = following
        alone = zones.kept[..., None] * state + (others * ahead.inputs[k]).sum(axis=1)[..., None]
        is_on = (begin <= k) & (k < end)
        flow, carried, reheat = _boxes(
            zones.answer, boxes, now, alone.sum(axis=0), supply, pressure
        )
        flow, carried, reheat = flow * is_on, carried * is_on, reheat * is_on
        total = flow.sum(axis=0)
        returned = (flow * now).sum(axis=0) / np.maximum(total, 1e-9)
        used = np.full(count, ahead.is_used[k])
        outside = np.full(count, outdoor)
        share, mix = mixed(outside, np.where(is_on, returned, outdoor), supply, fresh, used)
        moved = AIR_HEAT * total
        air = Air(
            total, pressure, moved * np.maximum(mix - supply, 0.0),
            moved * np.maximum(supply - mix, 0.0) + reheat.sum(axis=0),
        )  # fmt: skip
        kwh += sum(equipment.power(air, outside)) * hours
        state = alone + zones.gain[:, HEAT, :, None] * (carried + reheat)
        now = state.sum(axis=0)
        level = _co2(boxes, level, flow, total, share, ahead.co2[k], seconds)
        path[k] = now
        if ahead.is_used[k]:
            off = np.maximum(ahead.low[k] - now, 0) + np.maximum(now - ahead.high[k], 0)
            degrees += off.sum(axis=0) * hours
            excess += np.maximum(level - prices.limit, 0).sum(axis=0) * hours
    cost = kwh + prices.degree * degrees + prices.co2 * excess / 1000
    return Outcome(kwh, degrees, excess, cost, path)


def _boxes(
    answer: F64, boxes: Boxes, now: F64, alone: F64, supply: F64, pressure: F64
) -> tuple[F64, F64, F64]:
    """Flow (m³/s), heat it carries and reheat (W) of each zone, as its thermostat asks for them."""
    by = answer[:, None]
    least, most = boxes.least[:, None], boxes.most[:, None] * np.sqrt(pressure / boxes.design)
    each = AIR_HEAT * (supply - now)
    wanted = (boxes.cools[:, None] - alone) / by
    opened = np.where(each < -100.0, wanted / np.minimum(each, -100.0), 0.0)
    flow = np.clip(opened, least, np.maximum(most, least))
    carried = flow * each
    reheat = np.clip((boxes.heats[:, None] - alone) / by - carried, 0.0, boxes.reheat[:, None])
    return flow, carried, reheat


def _co2(
    boxes: Boxes, level: F64, flow: F64, total: F64, share: F64, given: F64, seconds: float
) -> F64:
    back = (flow * level).sum(axis=0) / np.maximum(total, 1e-9)
    supplied = share * OUTDOOR_CO2 + (1 - share) * back
    volume = boxes.volume[:, None]
    leak = LEAK * volume / 3600
    fresh = flow + leak
    final = (flow * supplied + leak * OUTDOOR_CO2 + given[:, None]) / fresh
    found: F64 = final + (level - final) * np.exp(-fresh / volume * seconds)
    return found
