"""What a model means for telemetry: every path a twin can send, with type, unit and limits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gemel.core.document import Json
from gemel.core.series import MEASURED, SeriesTable
from gemel.core.units import symbol
from gemel.ingest.points import TREES, Layout, Point
from gemel.twins.dtdl.interface import (
    Command,
    Component,
    Enum,
    Interface,
    Property,
    Schema,
    Telemetry,
    title_of,
)
from gemel.twins.dtdl.schema import Array, Primitive

COMPONENT_DEPTH = 8
Planned = Mapping[str, Mapping[str, Json]]
"""Documents that are to come, by kind (`settings`, `derived`, `service`) and key."""
NOTHING_PLANNED: Planned = {}
DISCOVERED = "dtmi:discovered:"
"""How the ids of inferred models begin."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One telemetry or property of a model, components included (`bearing.temperature`)."""

    path: str
    name: str
    category: str
    """telemetry or property."""
    schema: Schema
    unit: str
    """DTDL unit name, "" if none."""
    display_name: str
    is_writable: bool
    minimum: float
    maximum: float

    @property
    def unit_symbol(self) -> str:
        return symbol(self.unit) if self.unit else ""


@dataclass(frozen=True, slots=True)
class CommandSignal:
    path: str
    command: Command
    display_name: str
    minimum: float
    maximum: float


class Signals:
    """The signals of each model, worked out once and kept until the models or settings change."""

    def __init__(
        self,
        interfaces: Mapping[str, Interface],
        settings: Mapping[str, Json],
        derived: Mapping[str, Json] | None = None,
        services: Mapping[str, Json] | None = None,
    ) -> None:
        self._interfaces = interfaces
        self._settings = settings
        self.derived: Mapping[str, Json] = {} if derived is None else derived
        """Documents of derived properties by id."""
        self.services: Mapping[str, Json] = {} if services is None else services
        self.compiled: dict[str, Any] = {}
        """What became of formulas; see `formulas`."""
        self._signals: dict[str, dict[str, Signal]] = {}
        self._layouts: dict[str, Layout] = {}
        self._commands: dict[str, dict[str, CommandSignal]] = {}

    def is_a(self, model: str, base: str) -> bool:
        """Whether a model is another, or extends it."""
        interface = self._interfaces.get(model)
        return model == base or (interface is not None and base in interface.bases)

    def derived_of(self, model: str) -> dict[str, str]:
        """The derived properties of a model by path: their ids."""
        return {
            d["property"]: key for key, d in self.derived.items() if self.is_a(model, d["model"])
        }

    def forget(self) -> None:
        self.compiled.clear()
        self._signals.clear()
        self._layouts.clear()
        self._commands.clear()

    def of(self, model: str) -> dict[str, Signal]:
        """By path; empty for a model that is not there."""
        found = self._signals.get(model)
        if found is None:
            found = {s.path: s for s in self._walk(model, "", 0)}
            self._signals[model] = found
        return found

    def layout_of(self, model: str) -> Layout:
        """What a twin of a model may report; what infer has named otherwise, under both names."""
        found = self._layouts.get(model)
        if found is None:
            signals = self.of(model)
            others = sent_names(model, signals)
            paths = [*signals, *others.values()]
            names = [*signals, *others]
            points = {n: point_of(signals[p]) for n, p in zip(names, paths, strict=True)}
            found = self._layouts[model] = Layout(points, paths)
        return found

    def commands_of(self, model: str) -> dict[str, CommandSignal]:
        found = self._commands.get(model)
        if found is None:
            found = {c.path: c for c in self._walk_commands(model, "", 0)}
            self._commands[model] = found
        return found

    def setting(self, model: str, name: str, default: Any) -> Any:
        """A setting of a model, else of the nearest model it extends."""
        for settings in self._nearest(model):
            found = settings.get(name)
            if found is not None:
                return found
        return default

    def guards_of(self, model: str, command: str) -> Json:
        """The settings of a command of a model, else of the nearest model it extends."""
        for settings in self._nearest(model):
            found = settings.get("commands", {}).get(command)
            if found is not None:
                return dict(found)
        return {}

    def property_setting(self, model: str, path: str, name: str, default: Any) -> Any:
        """A setting of a property, else of the nearest model that says it."""
        for settings in self._nearest(model):
            found = settings.get("properties", {}).get(path, {}).get(name)
            if found is not None:
                return found
        return default

    def _nearest(self, model: str) -> Iterator[Json]:
        """The settings of a model, then of those it extends, the nearest first."""
        seen, queue = set(), [model]
        while queue:
            current = queue.pop(0)
            if current in seen:
                continue
            seen.add(current)
            yield self._settings.get(current, {})
            interface = self._interfaces.get(current)
            queue.extend(interface.extends if interface else ())

    def _limits(self, model: str, name: str) -> tuple[float, float]:
        low, high = -math.inf, math.inf
        for settings in self._nearest(model):
            found = settings.get("properties", {}).get(name)
            if found is not None:
                return float(found.get("minimum", low)), float(found.get("maximum", high))
        return low, high

    def _walk(self, model: str, prefix: str, depth: int) -> list[Signal]:
        interface = self._interfaces.get(model)
        if interface is None or depth > COMPONENT_DEPTH:
            return []
        found = []
        for content in interface.contents.values():
            if isinstance(content, Telemetry | Property):
                low, high = self._limits(model, content.name)
                found.append(
                    Signal(
                        prefix + content.name,
                        content.name,
                        "telemetry" if isinstance(content, Telemetry) else "property",
                        content.schema,
                        content.unit,
                        title_of(content.display_name, content.name),
                        isinstance(content, Property) and content.writable,
                        low,
                        high,
                    )
                )
            elif isinstance(content, Component):
                found.extend(self._walk(content.schema, f"{prefix}{content.name}.", depth + 1))
        return found

    def _walk_commands(self, model: str, prefix: str, depth: int) -> list[CommandSignal]:
        interface = self._interfaces.get(model)
        if interface is None or depth > COMPONENT_DEPTH:
            return []
        found = []
        for content in interface.contents.values():
            if isinstance(content, Command):
                low, high = self._limits(model, content.name)
                title = title_of(content.display_name, content.name)
                found.append(CommandSignal(prefix + content.name, content, title, low, high))
            elif isinstance(content, Component):
                found.extend(
                    self._walk_commands(content.schema, f"{prefix}{content.name}.", depth + 1)
                )
        return found


def sent_names(model: str, signals: Mapping[str, Signal]) -> dict[str, str]:
    """What a discovered device calls its values, where DTDL made the model call them otherwise.

    `infer` keeps such a name (`motor.power`, `temp-1`) as the display name.
    """
    if not model.startswith(DISCOVERED):
        return {}
    found = {s.display_name: path for path, s in signals.items()}
    return {sent: path for sent, path in found.items() if sent != path and sent not in signals}


def point_of(signal: Signal) -> Point:
    """What a signal's values are checked against."""
    schema = signal.schema
    values = frozenset(schema.values) if isinstance(schema, Enum) else None
    shape = Shaped(schema) if schema.kind in TREES else None
    low, high = signal.minimum, signal.maximum
    return Point(schema.kind, low, high, values=values, unit=signal.unit, shape=shape)


class Shaped:
    """Values of one schema: the shape of a point. Equal are those of the very same schema."""

    __slots__ = ("_is_plain", "schema")

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        element = schema.element if isinstance(schema, Array) else None
        self._is_plain = isinstance(element, Primitive) and element.kind == "double"

    def fits(self, value: Any) -> bool:
        if self._is_plain:  # spectra are long
            return set(map(type, value)) <= {float, int}
        return not self.schema.check(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shaped) and self.schema is other.schema

    def __hash__(self) -> int:
        return id(self.schema)


def series_of(
    series: SeriesTable, twin: str, layout: Layout, provenance: str = MEASURED
) -> Sequence[int]:
    """The series of one provenance in which a twin's values are kept, in the layout's order."""
    return series.block(twin, layout.paths, provenance)
