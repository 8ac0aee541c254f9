"""Evenly spaced values as coded columns: `{"time": first, "every": seconds, "coded": {...}}`.

A gateway behind a thin line sends the readings of minutes or hours so; a column of values comes of
some bytes without a step for each. docs/formats/coded-columns.md has the bytes.
"""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any, NamedTuple

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.core.coded import decoded
from gemel.core.errors import InvalidInput
from gemel.ingest.senml import Problem
from gemel.ingest.times import read_time

CODED, EVERY = "coded", "every"
MOST_VALUES = 16_384
"""Of one message, all columns together: a few bytes must not become memory without bounds."""
LONGEST_STEP = 1e9
"""Seconds."""
STANDARD = str.maketrans("-_", "+/")


class Evenly(NamedTuple):
    """The values of one name, and their times in ns since 1970 UTC."""

    name: str
    time: I64
    value: F64


def is_coded(data: dict[str, Any], points: Any) -> bool:
    """Whether an object holds coded columns, and not properties of such names."""
    return type(data.get(CODED)) is dict and CODED not in points and EVERY not in points


def columns_of(data: dict[str, Any], moment: Any, time_name: str, limit: int) -> list[Evenly]:
    """All columns of an object, or none.

    Args:
        data: with `coded` and `every`.
        moment: of the first value, as sent; None if there is none.
        time_name: under which `moment` stands.
        limit: the latest time that a value may have, ns.

    Raises:
        Problem: names the place and the rule.
    """
    first, step = _first(moment), _step(data.get(EVERY))
    others = [name for name in data if name not in (CODED, EVERY, time_name)]
    if others:
        raise Problem(f"'{others[0][:100]}' beside coded columns: send it in a message of its own")
    found: list[Evenly] = []
    left = MOST_VALUES
    for name, sent in data[CODED].items():
        value = _values(name, sent, left)
        left -= len(value)
        last = first + step * max(len(value) - 1, 0)
        if last > limit:
            raise Problem(f"coded.{name[:100]}: its last value lies in the future")
        time = first + step * np.arange(len(value), dtype=np.int64)
        found.append(Evenly(name, time, value))
    return found


def _first(moment: Any) -> int:
    first = None if moment is None else read_time(moment)
    if first is None:
        raise Problem("coded columns need the time of their first value, since 1970: 'time'")
    return first


def _step(every: Any) -> int:
    is_number = type(every) in (int, float) and math.isfinite(every)
    step = round(every * SECOND) if is_number and 0 < every <= LONGEST_STEP else 0
    if step < 1:
        raise Problem(f"'every' must be the seconds between two values, up to {LONGEST_STEP:g}")
    return step


def _values(name: str, sent: Any, most: int) -> F64:
    if type(sent) is not str:
        raise Problem(f"coded.{name[:100]} must be bytes, in JSON as base64")
    try:
        text = sent.translate(STANDARD).rstrip("=")
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        value = decoded(data, most)
    except (binascii.Error, ValueError) as error:
        raise Problem(f"coded.{name[:100]} is no base64: {error}") from None
    except InvalidInput as error:
        raise Problem(f"coded.{name[:100]}: {error.message} ({error.hint})") from None
    if not np.isfinite(value).all():
        raise Problem(f"coded.{name[:100]}: values beyond what a double holds")
    return value
