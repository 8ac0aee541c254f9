"""From a row of recorded data to readings: which column is the time, the twin, which property."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gemel.core import units
from gemel.core.clock import EPOCH, SECOND, from_iso
from gemel.core.errors import InvalidInput

TIME_NAMES = ("time", "timestamp", "datetime", "date", "ts", "start", "t")
MISSING = frozenset(
    {"", "nan", "na", "n/a", "null", "none", "-", "#value!", "#n/a", "#div/0!", "inf", "-inf"}
)
EPOCHS = {"s": SECOND, "ms": 1_000_000, "us": 1_000, "ns": 1}
FORMATS = "iso, s, ms, us, ns, step:SECONDS or a strptime form such as '%d.%m.%Y %H:%M'"
NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9_]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a column goes."""

    column: int
    name: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One row as readings; `time` in ns since 1970 UTC."""

    twin: str
    time: int
    values: dict[str, Any]


def column_index(columns: Sequence[str], name: str, option: str, path: object) -> int:
    """Where a column stands.

    Raises:
        InvalidInput: there is no such column; names the columns there are.
    """
    try:
        return list(columns).index(name)
    except ValueError:
        raise InvalidInput(
            f"{path}: {option}: there is no column '{name}'",
            hint="there are " + ", ".join(f"'{c}'" for c in columns),
        ) from None


def property_name(column: str) -> str:
    """A column's name as a property may be called: `Volume Flow RateRMS` -> VolumeFlowRateRMS."""
    words = re.findall(r"[A-Za-z0-9_]+", column)
    name = "".join(w if i == 0 else w[:1].upper() + w[1:] for i, w in enumerate(words)).strip("_")
    name = name if not name or name[0].isalpha() else f"v{name}"
    return name or "value"


def parse_map(text: str) -> tuple[str, str, str]:
    """Reads `column=property` or `column=property:unit`.

    Raises:
        InvalidInput: it has not this form, or the unit is not known.
    """
    column, equals, rest = text.partition("=")
    name, _, unit = rest.partition(":")
    if not equals or not column or not NAME.fullmatch(name.replace(".", "x")):
        raise InvalidInput(
            f"--map '{text}' is not a mapping", hint="write it like Temperature=temperature:degC"
        )
    return column, name, units.find(unit).name if unit else ""


def targets(
    columns: Sequence[str], maps: Sequence[str], taken: Sequence[int], path: object
) -> list[Target]:
    """The columns to send: those of --map, else all that are not time or twin.

    Raises:
        InvalidInput: a mapping names no column, or two columns go to one property.
    """
    found = []
    if maps:
        for text in maps:
            column, name, unit = parse_map(text)
            found.append(Target(column_index(columns, column, "--map", path), name, unit))
    else:
        rest = (i for i in range(len(columns)) if i not in taken)
        found = [Target(i, property_name(columns[i])) for i in rest]
    names = [target.name for target in found]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise InvalidInput(f"{path}: two columns go to the property '{twice}'", hint="see --map")
    if not found:
        raise InvalidInput(f"{path}: there is no column to send")
    return found


def value_of(cell: Any, missing: frozenset[str] = MISSING) -> Any:
    """A cell as a JSON value; None if there is nothing in it."""
    if isinstance(cell, str):
        text = cell.strip()
        if text.lower() in missing:
            return None
        try:
            number = float(text)
        except ValueError:
            return {"true": True, "false": False}.get(text.lower(), text)
        if not math.isfinite(number):
            return None
        return int(text) if text.lstrip("+-").isdecimal() and abs(number) < 2**53 else number
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    return cell.isoformat() if isinstance(cell, datetime) else cell


def time_reader(form: str, base: int = 0) -> Callable[[Any], int]:
    """A function from a cell to ns since 1970 UTC.

    Args:
        form: as in `FORMATS`; "" finds out.
        base: where step 0 lies, for `step:SECONDS`.

    Raises:
        InvalidInput: there is no such form.
    """
    if form.startswith("step:"):
        try:
            step = round(float(form[5:]) * SECOND)
        except (ValueError, OverflowError):
            raise InvalidInput(f"--time-format '{form}'", hint=f"use {FORMATS}") from None
        return lambda cell: base + round(float(cell) * step)
    if form in EPOCHS:
        scale = EPOCHS[form]
        return lambda cell: _scaled(cell, scale)
    if form in ("", "auto"):
        return _any_time
    if form == "iso":
        return _iso
    if "%" not in form:
        raise InvalidInput(f"--time-format '{form}' is not known", hint=f"use {FORMATS}")
    return lambda cell: _from_datetime(datetime.strptime(str(cell).strip(), form))  # noqa: DTZ007


def _scaled(cell: Any, scale: int) -> int:
    if isinstance(cell, int):
        return cell * scale
    text = str(cell).strip()
    whole, _, fraction = text.partition(".")
    if whole.lstrip("+-").isdecimal() and (not fraction or fraction.isdecimal()):
        sign = -1 if whole.startswith("-") else 1
        part = int((fraction + "0" * 18)[:18]) * scale // 10**18
        return int(whole) * scale + sign * part
    return round(float(text) * scale)


def _from_datetime(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    gap = moment - EPOCH
    return (gap.days * 86_400 + gap.seconds) * SECOND + gap.microseconds * 1_000


def _iso(cell: Any) -> int:
    if isinstance(cell, datetime):
        return _from_datetime(cell)
    return from_iso(str(cell).strip())


def _any_time(cell: Any) -> int:
    """ISO 8601, or an epoch whose unit is told by its size."""
    if isinstance(cell, datetime):
        return _from_datetime(cell)
    text = str(cell).strip()
    try:
        number = abs(float(text))
    except ValueError:
        return from_iso(text)
    for unit, limit in (("s", 1e11), ("ms", 1e14), ("us", 1e17), ("ns", math.inf)):
        if number < limit:
            return _scaled(cell, EPOCHS[unit])
    raise ValueError(f"{text} is not a time")
