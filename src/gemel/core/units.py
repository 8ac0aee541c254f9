"""Units of measure: conversion between the units of the DTDL quantitative types."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from functools import cache

from gemel.core.errors import InvalidInput
from gemel.core.unit_table import ALIASES, UNITS


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: value in SI = value * factor + offset."""

    name: str
    """The DTDL name, such as `degreeCelsius`."""
    symbol: str
    """For people: `°C`."""
    dimension: str
    """Units convert into each other when their dimensions are equal."""
    factor: float
    offset: float = 0.0


@cache
def all_units() -> dict[str, Unit]:
    """Every unit by its DTDL name."""
    units: dict[str, Unit] = {}
    for dimension, rows in UNITS.items():
        for row in rows:
            name, shown, factor, *rest = row
            offset = float(rest[0]) if rest else 0.0
            units[str(name)] = Unit(str(name), str(shown), dimension, float(factor), offset)
    return units


@cache
def _spellings() -> tuple[dict[str, Unit], dict[str, list[Unit]]]:
    """Units by what people write: exactly, and without regard to capitals (maybe several)."""
    exact: dict[str, Unit] = {}
    units = all_units()
    for unit in units.values():  # names win over symbols, earlier rows win over later ones
        exact.setdefault(unit.name, unit)
    for unit in units.values():
        if unit.symbol:
            exact.setdefault(_folded(unit.symbol), unit)
    for alias, name in ALIASES.items():
        exact[_folded(alias)] = units[name]
    loose: dict[str, list[Unit]] = {}
    for text, unit in exact.items():
        units_here = loose.setdefault(text.lower(), [])
        if unit not in units_here:
            units_here.append(unit)
    return exact, loose


def _folded(text: str) -> str:
    """One way of writing for what looks alike: micro signs, dots, superscripts, spaces."""
    text = text.strip().replace("μ", "µ").replace("Ω", "Ω").replace("℃", "°C").replace("℉", "°F")
    for superscript, plain in (("²", "2"), ("³", "3"), ("⁻¹", "-1"), ("⁻", "-"), ("^", "")):
        text = text.replace(superscript, plain)
    for dot in "⋅∙•*":
        text = text.replace(dot, "·")
    return text.replace(" ", "").replace("º", "°")


def find(text: str) -> Unit:
    """The unit that a DTDL name, a symbol or a usual way of writing means.

    Capitals count where they tell units apart (mW and MW) and not where they do not (RPM).

    Raises:
        InvalidInput: there is no such unit; the hint names near ones.
    """
    exact, loose = _spellings()
    folded = _folded(text)
    found = exact.get(text) or exact.get(folded)
    if found is not None:
        return found
    candidates = loose.get(folded.lower(), [])
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        names = " or ".join(f"{unit.symbol} ({unit.name})" for unit in candidates)
        raise InvalidInput(f"'{text}' could be several units", hint=f"write {names}")
    raise InvalidInput(f"'{text[:80]}' is not a unit that is known", hint=_near(folded))


def _near(folded: str) -> str:
    _, loose = _spellings()
    matches = difflib.get_close_matches(folded[:80].lower(), loose, n=5, cutoff=0.6)
    names = list(dict.fromkeys(unit.name for match in matches for unit in loose[match]))
    return f"did you mean {' or '.join(names[:4])}?" if names else "use a DTDL unit name"


def conversion(source: str, target: str) -> tuple[float, float]:
    """Scale and offset with which target = source * scale + offset.

    Raises:
        InvalidInput: a unit is not known, or the two measure different things.
    """
    one, other = find(source), find(target)
    if one.dimension != other.dimension:
        raise InvalidInput(
            f"{one.name} measures {one.dimension} and {other.name} measures {other.dimension}",
            hint=f"choose a unit of {other.dimension}, such as "
            f"{' or '.join(u.name for u in units_of(other.dimension)[:3])}",
        )
    if one.name == other.name:
        return 1.0, 0.0
    offset = (one.offset - other.offset) / other.factor
    return _tidy(one.factor / other.factor, 1e-15), _tidy(offset, 1e-14)


def _tidy(value: float, noise: float) -> float:
    """Takes off rounding noise: 1.7999999999999998 becomes 1.8."""
    short = float(f"{value:.13g}")
    return short if math.isclose(short, value, rel_tol=noise) else value


def units_of(dimension: str) -> list[Unit]:
    """The units of one dimension."""
    return [unit for unit in all_units().values() if unit.dimension == dimension]


def symbol(unit_name: str) -> str:
    """What to show people for a unit; a name that is not known is shown as it is."""
    unit = all_units().get(unit_name)
    return unit.symbol if unit is not None else unit_name
