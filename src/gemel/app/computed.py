"""What formulas and services give for a twin beside its model: name, unit, how soon it is old."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gemel.app.service_documents import outputs_for
from gemel.app.signals import Signal
from gemel.app.values import shown_series
from gemel.core.document import Json
from gemel.core.errors import GemelError
from gemel.twins.dtdl.interface import Primitive

if TYPE_CHECKING:
    from gemel.app.platform import Platform

MISSED = 3.0
"""So many usual intervals without a value make it stale."""


@dataclass(frozen=True, slots=True)
class Computed:
    """One series that is computed for a twin, as if its model had it."""

    signal: Signal
    stale_after: float
    """Seconds: three of its usual intervals, at least what its model's readings have."""


def computed_of(platform: Platform, twin: str) -> dict[str, Computed]:
    """By path, what is computed for a twin beside its model; it may have no value yet."""
    catalogue, usual = platform.catalogue, platform.presence.stale_after(twin)
    model = catalogue.model_of(twin) or ""
    signals, found = catalogue.signals, {}
    own = signals.of(model)
    units = {path: signal.unit for path, signal in own.items()}
    for doc in signals.services.values():
        subject = doc.get("model")
        if not (signals.is_a(model, subject) if subject else twin in (doc.get("twins") or ())):
            continue
        try:
            outputs = outputs_for(doc, units)
        except GemelError:  # its package is gone; the service says so itself
            continue
        for output in outputs:
            every = float(doc["parameters"].get(output.every) or 0.0)
            signal = _signal(output.name, output.title, output.unit)
            found[output.name] = Computed(signal, max(usual, MISSED * every))
    for path, key in signals.derived_of(model).items():
        derived: Json = signals.derived[key]
        every = float(derived.get("every") or 1.0) + float(derived.get("lateness") or 0.0)
        signal = _signal(path, str(derived.get("title") or ""), platform.derived.unit_of(key))
        found[path] = Computed(signal, max(usual, MISSED * every))
    return {path: one for path, one in found.items() if path not in own}


def _signal(path: str, title: str, unit: str) -> Signal:
    kind, name = Primitive("double"), title or path
    return Signal(path, path, "telemetry", kind, unit, name, False, -math.inf, math.inf)


def computed_with_values(platform: Platform, twin: str) -> list[Computed]:
    """As `computed_of`, those that have a value."""
    found = computed_of(platform, twin).values()
    return [one for one in found if shown_series(platform, twin, one.signal.path) is not None]


def stale_after(platform: Platform, twin: str, path: str) -> float:
    """Seconds without a value after which one property of a twin is stale; 0: never."""
    catalogue = platform.catalogue
    signal = catalogue.signals.of(catalogue.model_of(twin) or "").get(path)
    if signal is not None and signal.category == "property":
        return 0.0
    found = computed_of(platform, twin).get(path)
    return platform.presence.stale_after(twin) if found is None else found.stale_after
