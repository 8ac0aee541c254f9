"""Values of twins and relationships as a query sees them: what people set, what devices sent.

A property is as `GET /digitaltwins/{id}` shows it; telemetry is its latest value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson

from gemel.core.batch import I32
from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.quality import is_bad, is_good
from gemel.core.series import SeriesTable
from gemel.twins.dtdl.interface import (
    Component,
    Interface,
    Object,
    Primitive,
    Property,
    Schema,
    Telemetry,
)
from gemel.twins.dtdl.schema import INTEGER_RANGES, Enum
from gemel.twins.graph import Graph
from gemel.twins.query.values import UNDEFINED, walk
from gemel.twins.recalled import Recalled
from gemel.twins.records import Link, Twin, value_time
from gemel.twins.state import LastValue, State
from gemel.twins.view import adt_view

DEEPEST = 8
"""Components and objects inside each other that are looked through."""
MOST_RELATED = 200
CACHED_DOCUMENTS = 2_000


class Live:
    """The last values of devices."""

    def __init__(self, series: SeriesTable, state: State | Recalled) -> None:
        self.series = series
        self.state = state

    def load(self, numbers: I32) -> Iterator[None]:
        """Has the last values of some series at hand; yields while they are asked for."""
        if isinstance(self.state, Recalled):
            yield from self.state.load(numbers)

    def is_silent(self, twin: str) -> bool:
        """Whether it is known at a glance that nothing was ever heard of a twin."""
        if isinstance(self.state, Recalled):
            return False
        series = self.series.span(twin)
        return series is not None and not self.state.has_any(series)

    def last(self, twin: str, path: str) -> LastValue | None:
        number = self.series.find(twin, path)
        return None if number is None else self.state.get(number)


@dataclass(frozen=True, slots=True)
class Place:
    """What a path means in a model."""

    category: str
    """`property`, `telemetry`, `component`, or "" if the model does not know it."""
    path: str
    """Joined by dots."""
    schema: Schema | None
    content: str
    """Path of the property or telemetry that the value is in."""
    related: tuple[str, ...]
    """Paths whose device values are part of this property's value."""

    @property
    def is_plain(self) -> bool:
        """Whether the device's value of this very path is the whole value."""
        return self.path == self.content and isinstance(self.schema, Primitive | Enum)


class Places:
    """Places by model and path, kept as long as the model is the same."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._known: dict[tuple[str, tuple[str, ...]], tuple[Interface | None, Place]] = {}

    def interface(self, model: str) -> Interface | None:
        return self._graph.find_model(model)

    def of(self, model: str, steps: tuple[str, ...]) -> Place:
        interface = self._graph.find_model(model)
        found = self._known.get((model, steps))
        if found is not None and found[0] is interface:
            return found[1]
        if len(self._known) > 10_000:
            self._known.clear()
        place = self._find(interface, steps)
        self._known[model, steps] = (interface, place)
        return place

    def _find(self, interface: Interface | None, steps: tuple[str, ...]) -> Place:
        path = ".".join(steps)
        for index, step in enumerate(steps):
            content = None if interface is None else interface.contents.get(step)
            if isinstance(content, Component):
                interface = self._graph.find_model(content.schema)
                continue
            if isinstance(content, Property | Telemetry):
                category = "property" if isinstance(content, Property) else "telemetry"
                return self._inside(category, content.schema, steps, index + 1)
            return Place("", path, None, path, ())
        related: list[str] = []
        self._collect(interface, path, related, 0)
        return Place("component", path, None, path, tuple(related))

    def _inside(
        self, category: str, schema: Schema | None, steps: tuple[str, ...], start: int
    ) -> Place:
        content = ".".join(steps[:start])
        related = [".".join(steps[:end]) for end in range(start, len(steps) + 1)]
        for step in steps[start:]:
            schema = schema.fields.get(step) if isinstance(schema, Object) else None
        _fields(schema, ".".join(steps), related, 0)
        return Place(category, ".".join(steps), schema, content, tuple(related[:MOST_RELATED]))

    def _collect(
        self, interface: Interface | None, prefix: str, related: list[str], depth: int
    ) -> None:
        if interface is None or depth > DEEPEST:
            return
        for name, content in interface.contents.items():
            if isinstance(content, Property):
                related.append(f"{prefix}.{name}")
                _fields(content.schema, f"{prefix}.{name}", related, depth)
            elif isinstance(content, Component):
                inner = self._graph.find_model(content.schema)
                self._collect(inner, f"{prefix}.{name}", related, depth + 1)


def _fields(schema: Schema | None, prefix: str, related: list[str], depth: int) -> None:
    if isinstance(schema, Object) and depth < DEEPEST and len(related) < MOST_RELATED:
        for name, inner in schema.fields.items():
            related.append(f"{prefix}.{name}")
            _fields(inner, f"{prefix}.{name}", related, depth + 1)


def typed(last: LastValue, schema: Schema | None) -> object:
    """A device value as JSON."""
    if last.text is not None:
        return orjson.loads(last.text)
    value = last.value
    if value != value or value in (float("inf"), float("-inf")):
        return None
    if schema is not None:
        if schema.kind == "boolean":
            return value != 0.0
        if (isinstance(schema, Enum) or schema.kind in INTEGER_RANGES) and value.is_integer():
            return int(value)
    return value


class Reader:
    """Reads values during one query; what it decoded it keeps until the next."""

    def __init__(self, graph: Graph, live: Live | None, places: Places) -> None:
        self._graph = graph
        self._live = live
        self._places = places
        self._stored: dict[int, tuple[Twin | Link, Json]] = {}
        self._views: dict[int, tuple[Twin, Json]] = {}

    def forget(self) -> None:
        """Drops what was decoded, so that a later look sees later device values."""
        self._stored.clear()
        self._views.clear()

    def value(self, item: Twin | Link, steps: tuple[str, ...]) -> object:
        """The value at a path of a twin or relationship; the whole of it without steps."""
        if not steps:
            return self.whole(item)
        if isinstance(item, Link):
            return walk(self._link(item), steps)
        if steps[0].startswith("$"):
            return self._computed(item, steps)
        place = self._places.of(item.model, steps)
        if place.category == "telemetry":
            return self._telemetry(item, place, steps)
        if self._is_reported(item, place):
            return walk(self.view(item), steps)
        return walk(self._doc(item), steps)

    def whole(self, item: Twin | Link) -> Json:
        """A twin or relationship as the data plane shows it."""
        found = self._views.get(id(item))
        if found is not None:
            return found[1]
        return self._link(item) if isinstance(item, Link) else self.view(item)

    def _computed(self, twin: Twin, steps: tuple[str, ...]) -> object:
        if steps == ("$dtId",):
            return twin.id
        if steps == ("$metadata", "$model"):
            return twin.model
        if steps == ("$etag",):
            return twin.etag
        return walk(self.view(twin), steps)

    def _is_reported(self, twin: Twin, place: Place) -> bool:
        live = self._live
        return live is not None and any(
            live.last(twin.id, path) is not None for path in place.related
        )

    def _telemetry(self, twin: Twin, place: Place, steps: tuple[str, ...]) -> object:
        found = self._last(twin, place, steps)
        if found is None:
            return UNDEFINED
        last, used = found
        if len(used) == len(steps):
            return typed(last, place.schema)
        return walk(typed(last, None), steps[len(used) :])

    def _last(
        self, twin: Twin, place: Place, steps: tuple[str, ...]
    ) -> tuple[LastValue, tuple[str, ...]] | None:
        """The last value at a path, or at the nearest path that it lies in."""
        if self._live is None:
            return None
        shortest = place.content.count(".") + 1
        for end in range(len(steps), shortest - 1, -1):
            last = self._live.last(twin.id, ".".join(steps[:end]))
            if last is not None:
                return last, steps[:end]
        return None

    def reading(self, twin: Twin, steps: tuple[str, ...]) -> tuple[str, str] | None:
        """Time and quality of a value, None if there is no such value."""
        if self.value(twin, steps) is UNDEFINED:
            return None
        place = self._places.of(twin.model, steps)
        found = self._last(twin, place, steps) if place.category else None
        since = 0
        if place.category != "telemetry":
            times = walk(self._doc(twin), (*place.content.split(".")[:-1], "$metadata"))
            if isinstance(times, dict):
                since = value_time(times.get(place.content.rsplit(".", 1)[-1]))
        if found is not None and found[0].time > since:
            return to_iso(found[0].time), quality_name(found[0].quality)
        return (to_iso(since), "good") if since else None

    def view(self, twin: Twin) -> Json:
        """A twin as the data plane shows it."""
        found = self._views.get(id(twin))
        if found is None:
            if len(self._views) > CACHED_DOCUMENTS:
                self._views.clear()
            found = (twin, adt_view(self._graph, twin, self._value_of(twin)))
            self._views[id(twin)] = found
        return found[1]

    def _value_of(self, twin: Twin) -> Callable[[str], tuple[object, int] | None] | None:
        live = self._live
        if live is None or live.is_silent(twin.id):
            return None

        def value_of(path: str) -> tuple[object, int] | None:
            last = live.last(twin.id, path)
            if last is None:
                return None
            return typed(
                last, self._places.of(twin.model, tuple(path.split("."))).schema
            ), last.time

        return value_of

    def _doc(self, twin: Twin) -> Json:
        found = self._stored.get(id(twin))
        if found is None:
            self._make_room()
            found = (twin, twin.doc)
            self._stored[id(twin)] = found
        return found[1]

    def _link(self, link: Link) -> Json:
        found = self._stored.get(id(link))
        if found is None:
            self._make_room()
            found = (link, link.view())
            self._stored[id(link)] = found
        return found[1]

    def _make_room(self) -> None:
        if len(self._stored) > CACHED_DOCUMENTS:
            self._stored.clear()


def quality_name(quality: int) -> str:
    if is_bad(quality):
        return "bad"
    return "good" if is_good(quality) else "uncertain"
