"""Values of series as people and programs read them: numbers, booleans, texts, objects."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import orjson

from gemel.core.series import DERIVED, MEASURED, PREDICTED

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


SHOWN = (MEASURED, DERIVED, PREDICTED)
"""What stands for a property where values are shown, the first that there is."""
ONLY_MEASURED = (MEASURED,)


def shown_series(
    platform: Platform, twin: str, path: str, among: tuple[str, ...] = SHOWN
) -> int | None:
    """The series whose newest value stands for a property: the first that has one."""
    state = platform.state
    for provenance in among:
        series = platform.series.find(twin, path, provenance)
        if series is not None and series < len(state.time) and state.time[series]:
            return series
    return None


def value_reader(
    platform: Platform, twin: str, among: tuple[str, ...] = SHOWN
) -> Callable[[str], tuple[object, int] | None]:
    """A function from path to (value, time ns), or None: as the device last sent it.

    Where no device ever sent it, what was derived or predicted stands for it, unless `among`
    leaves that out.
    """
    model = platform.catalogue.model_of(twin)
    signals = platform.catalogue.signals.of(model) if model else {}
    state = platform.state

    def read(path: str) -> tuple[object, int] | None:
        series = shown_series(platform, twin, path, among)
        if series is None:
            return None
        signal = signals.get(path)
        kind = signal.schema.kind if signal else "double"
        value = typed(float(state.value[series]), state.text.get(series), kind)
        return value, int(state.time[series])

    return read
