"""What rules need of models and twins: shapes, relatives, and the values that people have set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import orjson

from gemel.app.service_documents import outputs_for
from gemel.app.signals import Signal, Signals
from gemel.core.batch import Batch, make_batch
from gemel.core.errors import GemelError
from gemel.core.series import BESIDE, split_beside
from gemel.services.rules.compiler import PropertyShape
from gemel.services.rules.expression import Relation
from gemel.services.rules.rule import Rule
from gemel.twins.dtdl.interface import Enum, Relationship
from gemel.twins.graph import Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

MOST_HOPS = 32
"""Of `anywhere in`."""
TEXTS = frozenset({"string", "date", "dateTime", "duration", "time", "uuid"})
NUMBERS = frozenset(
    {
        "double",
        "float",
        "decimal",
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


def measured_shapes(signals: Signals, model: str) -> dict[str, PropertyShape]:
    """What rules may compare of a model's telemetry and properties."""
    found = {}
    for path, signal in signals.of(model).items():
        schema = signal.schema
        if isinstance(schema, Enum):
            values = {name: value for value, name in schema.values.items()}
            found[path] = PropertyShape("enumeration", values=values)
        elif schema.kind in NUMBERS:
            found[path] = PropertyShape("number", signal.unit)
        elif schema.kind == "boolean":
            found[path] = PropertyShape("boolean")
        elif schema.kind in TEXTS:
            found[path] = PropertyShape("text")
    return found


def short_name(model: str) -> str:
    """`Pump` of `dtmi:plant:Pump;1`."""
    return model.rsplit(":", 1)[-1].split(";", 1)[0]


def candidates(graph: Graph, relation: Relation, model: str) -> list[str] | None:
    """The models that relatives may have; None if there is no such relationship."""
    found: list[str] = []
    queue = [model]
    while queue:
        met = _next_models(graph, relation, queue.pop()) or []
        new = [m for m in met if m not in found]
        found += new
        queue = queue + new if relation.is_deep else []
    if relation.model:
        found = [m for m in found if short_name(m) == relation.model]
    return found or None


def _next_models(graph: Graph, relation: Relation, model: str) -> list[str] | None:
    every = list(graph.model_ids())
    if relation.is_incoming:
        models = [m for m in every if _relationship(graph, m, relation.name) is not None]
    else:
        found = _relationship(graph, model, relation.name)
        if found is None:
            return None
        target = found.target
        models = [m for m in every if target is None or _is_a(graph, m, target)]
    return models


def _relationship(graph: Graph, model: str, name: str) -> Relationship | None:
    interface = graph.find_model(model)
    found = interface.contents.get(name) if interface is not None else None
    return found if isinstance(found, Relationship) else None


def _is_a(graph: Graph, model: str, base: str) -> bool:
    queue, seen = [model], set[str]()
    while queue:
        current = queue.pop()
        if current == base:
            return True
        interface = graph.find_model(current)
        if interface is not None and current not in seen:
            seen.add(current)
            queue.extend(interface.extends)
    return False


def outputs_of(signals: Signals, model: str) -> dict[str, PropertyShape]:
    """What services give for the twins of a model, by the name of the output."""
    found = {}
    units = {path: signal.unit for path, signal in signals.of(model).items()}
    for doc in signals.services.values():
        if not doc.get("model") or not signals.is_a(model, doc["model"]):
            continue
        try:
            outputs = outputs_for(doc, units)
        except GemelError:  # its package is gone; the service says so itself
            continue
        for output in outputs:
            beside = f"{output.name}{BESIDE}{output.provenance}"
            found[output.name] = PropertyShape("number", output.unit, stands_for=beside)
    return found


class RuleMeans:
    """Answers the engine's questions about twins as they are now."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._known: dict[str, dict[str, int]] | None = None
        self._beside: set[str] = set()

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Within it, no edit may be applied: what many rules ask of a twin is found out once."""
        self._known = {}
        try:
            yield
        finally:
            self._known = None

    def series_of(self, twin: str, paths: Iterable[str] = ()) -> dict[str, int]:
        """The series of all paths of a twin's model, and of further ones; not to be changed.

        A path such as `flow@predicted` is that of another provenance.
        """
        known = self._known.get(twin) if self._known is not None else None
        if known is not None and all(path in known for path in paths):
            return known
        platform = self._platform
        model = platform.catalogue.model_of(twin)
        signals = platform.catalogue.signals.of(model) if model else {}
        wanted = {*signals, *paths, *self._beside_of(model, signals)}
        found = {path: platform.series.id(twin, *split_beside(path)) for path in wanted}
        if self._known is not None:
            self._known[twin] = found
        return found

    def note(self, paths: Iterable[str]) -> None:
        """Remembers that a rule names series beside the measured ones."""
        self._beside.update(path for path in paths if BESIDE in path)

    def _beside_of(self, model: str | None, signals: Mapping[str, Signal]) -> list[str]:
        if not self._beside or model is None:
            return []
        known = {*signals, *outputs_of(self._platform.catalogue.signals, model)}
        return [path for path in self._beside if path.rpartition(BESIDE)[0] in known]

    def is_named(self, number: int) -> bool:
        """Whether rules name a series of what is predicted or simulated."""
        key = self._platform.series.keys[number]
        return f"{key.path}{BESIDE}{key.provenance}" in self._beside

    def instances(
        self, rule: Rule, among: Iterable[str] | None = None
    ) -> list[tuple[str, dict[str, int]]]:
        """The twins of a rule's model, or those of some, each with the series of its paths."""
        graph = self._platform.graph
        twins = graph.twins
        some = twins.values() if among is None else [twins[t] for t in among if t in twins]
        return [
            (twin.id, self.series_of(twin.id, rule.kernel.raw_paths))
            for twin in some
            if graph.is_of_model(twin, rule.model)
        ]

    def kin(self, twin: str, relation: Relation) -> list[tuple[str, dict[str, int]]]:
        return [(who, self.series_of(who)) for who in self.relatives(twin, relation)]

    def relatives(self, twin: str, relation: Relation) -> list[str]:
        """The twins that a relationship leads to, or is from; each once, in order of their ids."""
        graph = self._platform.graph
        step = graph.sources_of if relation.is_incoming else graph.targets_of
        met: set[str] = set()
        level = {twin}
        for _ in range(MOST_HOPS if relation.is_deep else 1):
            pairs = [pair for one in level for pair in step(one)]
            level = {who for who, name in pairs if name == relation.name} - met
            met |= level
        found = sorted(met - {twin}) if relation.is_deep else sorted(met)
        if relation.model:
            found = [who for who in found if self._has_name(who, relation.model)]
        return found

    def _has_name(self, twin: str, name: str) -> bool:
        graph = self._platform.graph
        record = graph.find_twin(twin)
        if record is None:
            return False
        return any(
            short_name(model) == name and graph.is_of_model(record, model)
            for model in graph.model_ids()
        )

    def settings(self, twin: str) -> dict[str, float]:
        """The numbers that people and programs have set on a twin, by path."""
        found = {}
        for path, (value, _) in self._platform.graph.stored_values(twin).items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                found[path] = float(value)
        return found

    def set_values(self, rule: Rule, among: Iterable[str] | None = None) -> list[Batch]:
        """Properties that a rule reads and people have set, as readings of the time of setting."""
        platform = self._platform
        wanted = {
            path
            for path in rule.kernel.raw_paths
            if (signal := platform.catalogue.signals.of(rule.model).get(path)) is not None
            and signal.category == "property"
        }
        if not wanted:
            return []
        found = []
        for twin, series in self.instances(rule, among):
            for path, (value, time) in platform.graph.stored_values(twin).items():
                if path in wanted and time and isinstance(value, int | float | str):
                    text = {0: _json(value)} if isinstance(value, str) else {}
                    number = float("nan") if isinstance(value, str) else float(value)
                    found.append(make_batch([(series[path], time, number, 0)], time, text))
        return found


def _json(value: str) -> str:
    return orjson.dumps(value).decode()
