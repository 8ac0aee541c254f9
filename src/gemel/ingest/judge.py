"""One value against one property: the reading it makes, or the reason why it makes none."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

import orjson

from gemel.core.clock import from_iso
from gemel.core.errors import InvalidInput
from gemel.ingest.columns import NAN
from gemel.ingest.payload import Odd
from gemel.ingest.points import EXACT, FRACTIONS, NUMBERS, OBJECTS, OPEN, TREES, WHOLE, Point


class Verdict(NamedTuple):
    value: float = NAN
    text: str | None = None
    reason: str = ""
    """"" if it is a reading."""
    is_outside: bool = False
    """Whether an exact integer lies out of range (other values are compared in columns)."""


WRONG_TYPE = Verdict(reason="wrong-type")
NOT_A_NUMBER = Verdict(reason="not-a-number")

_NAN_TEXTS = frozenset(
    {"nan", "inf", "infinity", "-nan", "-inf", "-infinity", "+inf", "+infinity", "1.#qnan"}
)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:([0-5]\d|60)(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?")
_DURATION = re.compile(
    r"-?P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d{1,9})?S)?)?"
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def judge(point: Point, value: Any) -> Verdict:
    """Never raises, whatever the value."""
    kind = point.kind
    if kind in NUMBERS:
        return _number(point, value)
    if kind == "boolean":
        return Verdict(float(value)) if type(value) is bool else WRONG_TYPE
    if kind == "enum":
        return _enum(point, value)
    if kind == OPEN:
        return _open(point, value)
    if kind in TREES:
        return _shaped(point, value)
    if type(value) is str and _FORMS[kind](value):
        return Verdict(text=_json(value))
    return WRONG_TYPE


def _number(point: Point, value: Any) -> Verdict:
    kind = type(value)
    if kind is float:
        if not math.isfinite(value):
            return NOT_A_NUMBER
        if point.kind in FRACTIONS:
            return Verdict(value)
        return _whole(point, int(value)) if value.is_integer() else WRONG_TYPE
    if kind is int:
        return Verdict(float(value)) if point.kind in FRACTIONS else _whole(point, value)
    if kind is str and value.strip().lower() in _NAN_TEXTS:
        return NOT_A_NUMBER
    return WRONG_TYPE


def _whole(point: Point, value: int) -> Verdict:
    low, high = WHOLE[point.kind]
    if not low <= value <= high:
        return WRONG_TYPE
    if -EXACT < value < EXACT or point.scale != 1.0 or point.offset != 0.0:
        return Verdict(float(value))
    return Verdict(text=str(value), is_outside=not point.minimum <= value <= point.maximum)


def _enum(point: Point, value: Any) -> Verdict:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) not in (str, int) or (point.values is not None and value not in point.values):
        return WRONG_TYPE
    return Verdict(text=_json(value))


def _open(point: Point, value: Any) -> Verdict:
    kind = type(value)
    if kind is float:
        return Verdict(value) if math.isfinite(value) else NOT_A_NUMBER
    if kind is bool:
        return Verdict(float(value))
    if kind is int:
        return Verdict(float(value)) if -EXACT < value < EXACT else Verdict(text=str(value))
    if kind is str:
        return NOT_A_NUMBER if value.lower() in _NAN_TEXTS else Verdict(text=_json(value))
    return _tree(value) if kind is list else WRONG_TYPE


def _shaped(point: Point, value: Any) -> Verdict:
    if type(value) is not (dict if point.kind in OBJECTS else list):
        return WRONG_TYPE
    verdict = _tree(value)
    is_right = verdict.reason or point.shape is None or point.shape.fits(value)
    return verdict if is_right else WRONG_TYPE


def _tree(value: Any) -> Verdict:
    pending = [value]
    for item in pending:
        if type(item) is dict:
            pending += item.values()
        elif type(item) is list:
            pending += item
        elif type(item) is float and not math.isfinite(item):
            return NOT_A_NUMBER
        elif type(item) is Odd:
            return WRONG_TYPE
    return Verdict(text=_json(value))


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10


def _is_moment(text: str) -> bool:
    if len(text) > 64 or "T" not in text.upper():
        return False
    try:
        from_iso(text)
    except (InvalidInput, OverflowError):
        return False
    return True


_FORMS: dict[str, Callable[[str], object]] = {
    "string": lambda text: True,
    "bytes": lambda text: True,
    "uuid": _UUID.fullmatch,
    "date": _is_date,
    "dateTime": _is_moment,
    "time": _TIME.fullmatch,
    "duration": _DURATION.fullmatch,
}
