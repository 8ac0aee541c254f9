"""Functions of vectors that look at one value at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND

PLAIN: dict[str, Callable[[F64], F64]] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "deg": np.degrees,
    "exp": np.exp,
    "floor": np.floor,
    "ln": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "rad": np.radians,
    "sgn": np.sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
}


Dates = NDArray[np.datetime64]


def rounded(value: F64, to: F64) -> F64:
    """To the nearest multiple; halves go up."""
    inverse = 1.0 / to
    return np.asarray(np.floor(value * inverse + 0.5) / inverse)


def _days(value: F64) -> I64:
    """Days since 1970 of epoch seconds."""
    return _seconds(value) // 86_400


def _seconds(value: F64) -> I64:
    return np.nan_to_num(np.clip(value, -6e10, 2.5e11)).astype(np.int64)


def _dates(value: F64) -> Dates:
    return _days(value).astype("datetime64[D]")


def _year(value: F64) -> F64:
    return np.asarray(_dates(value).astype("datetime64[Y]").astype(np.int64) + 1970, np.float64)


def _month(value: F64) -> F64:
    months = _dates(value).astype("datetime64[M]").astype(np.int64)
    return np.asarray(months % 12 + 1, np.float64)


def _day_within(dates: Dates, begin: Dates) -> F64:
    return np.asarray((dates - begin).astype(np.int64) + 1, np.float64)


def _day_of_month(value: F64) -> F64:
    dates = _dates(value)
    return _day_within(dates, dates.astype("datetime64[M]"))


def _day_of_year(value: F64) -> F64:
    dates = _dates(value)
    return _day_within(dates, dates.astype("datetime64[Y]"))


def _day_of_week(value: F64) -> F64:
    return np.asarray((_days(value) + 4) % 7, np.float64)  # 1970 began on a Thursday


def _days_in_month(value: F64) -> F64:
    months = _dates(value).astype("datetime64[M]")
    ends = (months + 1).astype("datetime64[D]")
    return np.asarray((ends - months.astype("datetime64[D]")).astype(np.int64), np.float64)


def _hour(value: F64) -> F64:
    return np.asarray(_seconds(value) % 86_400 // 3600, np.float64)


def _minute(value: F64) -> F64:
    return np.asarray(_seconds(value) % 3600 // 60, np.float64)


DATES: dict[str, Callable[[F64], F64]] = {
    "day_of_month": _day_of_month,
    "day_of_week": _day_of_week,
    "day_of_year": _day_of_year,
    "days_in_month": _days_in_month,
    "hour": _hour,
    "minute": _minute,
    "month": _month,
    "year": _year,
}


def seconds_of(time: I64) -> F64:
    """Epoch seconds, to the millisecond as Prometheus has them."""
    return np.asarray(time // (SECOND // 1000) / 1000)
