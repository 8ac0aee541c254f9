"""Values of series as people and programs read them: numbers, booleans, texts, objects."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from gemel.app.platform import Platform

INTEGERS = frozenset(
    {
        "integer",
        "long",
        "byte",
        "short",
        "unsignedByte",
        "unsignedShort",
        "unsignedInteger",
        "unsignedLong",
    }
)


def typed(value: float, text: str | None, kind: str) -> object:
    """One stored value as JSON: by its schema's kind; NaN (no value) is None."""
    if text is not None:
        return orjson.loads(text)
    if math.isnan(value) or math.isinf(value):
        return None
    if kind == "boolean":
        return value != 0.0
    if kind in INTEGERS and value.is_integer():
        return int(value)
    return value


def value_reader(platform: Platform, twin: str) -> Callable[[str], tuple[object, int] | None]:
    """A function from path to (value, time ns) as the device last sent it, or None."""
    model = platform.catalogue.model_of(twin)
    signals = platform.catalogue.signals.of(model) if model else {}
    state = platform.state

    def read(path: str) -> tuple[object, int] | None:
        series = platform.series.find(twin, path)
        if series is None or series >= len(state.time) or not state.time[series]:
            return None
        signal = signals.get(path)
        kind = signal.schema.kind if signal else "double"
        value = typed(float(state.value[series]), state.text.get(series), kind)
        return value, int(state.time[series])

    return read
