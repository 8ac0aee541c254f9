"""Values that are not numbers, as numbers: equal texts have equal codes, in every process."""

from __future__ import annotations

import math
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import orjson


def code_of_value(value: Any) -> float:
    """A whole number below 2**53 for a text (or the number itself), compared only by `==`."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float):
        return _finite(value)
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return float(int.from_bytes(digest, "big") >> 11)


def _finite(value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        return math.nan
    return number if math.isfinite(number) else math.nan


@lru_cache(maxsize=4096)
def code_of_json(text: str) -> float:
    """The code of a value given as JSON text; NaN for null and for what is no JSON."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return math.nan
    return math.nan if value is None else code_of_value(value)
