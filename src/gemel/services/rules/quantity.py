"""Units inside a rule: products of the model's units, checked before any number is compared."""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

from gemel.core import units
from gemel.core.errors import InvalidInput

Unit: TypeAlias = tuple[tuple[str, int], ...]
"""(name of a unit, exponent) pairs, sorted; () is a plain number."""

PLAIN: Unit = ()


def unit_of(name: str) -> Unit:
    return ((name, 1),) if name else PLAIN


def written(text: str) -> Unit:
    """A unit as people write it: `°C`, `m³/h`, or a quotient of known ones such as `%/min`.

    Raises:
        InvalidInput: there is no such unit; the hint names near ones.
    """
    try:
        return unit_of(units.find(text).name)
    except InvalidInput:
        above, stroke, below = text.rpartition("/")
        if not stroke or not above:
            raise
        return product(written(above), unit_of(units.find(below).name), -1)


def conversion(source: Unit, target: Unit) -> tuple[float, float] | None:
    """(scale, offset) from one unit to the other; None when they measure different things."""
    if source == target:
        return 1.0, 0.0
    if len(source) == len(target) == 1 and source[0][1] == target[0][1] == 1:
        return _between(source[0][0], target[0][0])
    source, target = _spread(source), _spread(target)
    left = list(source)
    scale = 1.0
    for name, power in target:
        for factor in left:
            found = _between(factor[0], name) if factor[1] == power else None
            if found is not None:
                scale *= found[0] ** power
                left.remove(factor)
                break
        else:
            return None
    return None if left or not source else (scale, 0.0)


def _spread(unit: Unit) -> Unit:
    """A unit with its quotients taken apart: that of a slope in metres is that of `m/s`."""
    found = PLAIN
    for name, power in unit:
        found = product(found, _parts(name), power)
    return found


@cache
def _parts(name: str) -> Unit:
    """What a unit such as `m/s` is a quotient of; itself where its symbol does not tell."""
    above, stroke, below = units.symbol(name).rpartition("/")
    try:
        parts = product(written(above), unit_of(units.find(below).name), -1) if stroke else PLAIN
    except InvalidInput:
        parts = PLAIN
    return parts or unit_of(name)


def _between(source: str, target: str) -> tuple[float, float] | None:
    try:
        return units.conversion(source, target)
    except InvalidInput:
        return None


def product(left: Unit, right: Unit, sign: int) -> Unit:
    """The unit of left times right to a power: 1 multiplies, -1 divides."""
    powers = dict(left)
    for name, power in right:
        powers[name] = powers.get(name, 0) + sign * power
    return tuple(sorted((name, power) for name, power in powers.items() if power))


def shown(unit: Unit) -> str:
    """A unit as people read it."""
    if not unit:
        return "a plain number"
    return "·".join((units.symbol(n) or n) + (f"^{p}" if p != 1 else "") for n, p in unit)
