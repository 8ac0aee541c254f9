"""What fan, chiller and heat source of an air handler take, learnt from their meters.

Physics gives the form (fan power by flow times pressure, thermal loads by the mixing of air), the
meters give the few numbers in it, none of them below 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64
from gemel.core.errors import Unavailable

AIR_HEAT = 1206.0
"""Heat capacity of a cubic metre of air, J/(m³ K)."""
WARM, COLD = 10.0, 15.0
"""°C outside, above and below which the chiller and the heat source take more for the same."""


@dataclass(frozen=True, slots=True)
class Equipment:
    """kW by kW of heat moved, and by what moves air."""

    fan: F64
    """By kW of flow times duct pressure, and by the cube of the flow (m³/s)."""
    cooling: F64
    """By kW of cooling, and more for each K above WARM."""
    heating: F64
    """By kW of heating, and more for each K below COLD."""

    def power(self, air: Air, outdoor: F64) -> tuple[F64, F64, F64]:
        """Of fan, cooling and heating, kW."""
        parts = _fan(air), _cooling(air, outdoor), _heating(air, outdoor)
        given = zip((self.fan, self.cooling, self.heating), parts, strict=True)
        one, two, three = (numbers[0] * part[0] + numbers[1] * part[1] for numbers, part in given)
        return one, two, three


@dataclass(frozen=True, slots=True)
class Air:
    """What the air handler does; all arrays of one shape. Units: m³/s, Pa, W."""

    flow: F64
    pressure: F64
    cooled: F64
    """Heat taken out of the air at its coil."""
    heated: F64
    """Heat put into the air, at its coil and in the zones."""


def mixed(outdoor: F64, returned: F64, supply: F64, least: F64, is_used: F64) -> tuple[F64, F64]:
    """The share of outdoor air by an economiser, and the temperature of the mixture.

    Outdoor air that is colder than what returns is used for cooling; without people none is needed.
    """
    drop = returned - outdoor
    wanted = np.where(drop > 0.1, (returned - supply) / np.maximum(drop, 0.1), 0.0)
    share = np.clip(wanted, np.where(is_used > 0, least, 0.0), 1.0)
    return share, returned - share * drop


def _fan(air: Air) -> tuple[F64, F64]:
    return air.flow * air.pressure / 1000, air.flow**3


def _cooling(air: Air, outdoor: F64) -> tuple[F64, F64]:
    load = air.cooled / 1000
    return load, load * np.maximum(outdoor - WARM, 0.0)


def _heating(air: Air, outdoor: F64) -> tuple[F64, F64]:
    load = air.heated / 1000
    return load, load * np.maximum(COLD - outdoor, 0.0)


def learn(air: Air, outdoor: F64, fan: F64, cooling: F64, heating: F64) -> Equipment:
    """The numbers that come closest to the meters (kW, means over steps); all columns (T,).

    Raises:
        Unavailable: scipy is not installed.
    """
    try:
        from scipy.optimize import nnls
    except ModuleNotFoundError:
        raise Unavailable("learning needs scipy", hint="pip install gemel[services]") from None
    parts = _fan(air), _cooling(air, outdoor), _heating(air, outdoor)
    found = []
    for part, meter in zip(parts, (fan, cooling, heating), strict=True):
        table = np.stack(part, axis=1)
        seen = np.isfinite(meter) & np.isfinite(table).all(axis=1)
        found.append(np.asarray(nnls(table[seen], meter[seen])[0], float))
    return Equipment(*found)
