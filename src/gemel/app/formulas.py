"""What rules and formulas may name: what a model measures, computes, and gets from services.

A name is, in this order: a derived property (its formula is computed in its place), a telemetry or
property of the model as devices send it, or an output of a service on the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from gemel.app.rule_means import candidates, measured_shapes, outputs_of
from gemel.core import units
from gemel.core.document import Json
from gemel.core.errors import GemelError, InvalidInput, NotFound
from gemel.services.rules.compiler import PropertyShape
from gemel.services.rules.derived import Formula
from gemel.services.rules.expression import Relation
from gemel.services.rules.measures import Kin, compile_formula
from gemel.services.rules.parser import parse_formula
from gemel.services.rules.rule import LONGEST_LATENESS, lateness_of

if TYPE_CHECKING:
    from gemel.app.signals import Signals
    from gemel.twins.graph import Graph

FIELDS = ("model", "property", "formula", "unit", "every", "lateness", "title")
LONGEST_EVERY = 86_400


class Shapes(Mapping[str, PropertyShape]):
    """What one model, or any of several, has under each name; formulas are compiled on demand."""

    def __init__(self, graph: Graph, signals: Signals, models: list[str], by: str = "") -> None:
        self._graph, self._signals, self._models = graph, signals, models
        self._by = by
        """The formula for which relatives are looked at: it is not its own relative's."""
        self._measured = [measured_shapes(signals, model) for model in models]
        self._outputs = [outputs_of(signals, model) for model in models]
        self._derived = [signals.derived_of(model) for model in models]

    def __iter__(self) -> Iterator[str]:
        parts: list[Mapping[str, object]] = [*self._derived, *self._measured, *self._outputs]
        return iter({name for part in parts for name in part})

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __getitem__(self, path: str) -> PropertyShape:
        found: PropertyShape | None = None
        for place in range(len(self._models)):
            shape = self._of_model(place, path)
            if shape is not None and found is not None and found != shape:
                return PropertyShape("mixed")
            found = found or shape
        if found is None:
            raise KeyError(path)
        return found

    def _of_model(self, place: int, path: str) -> PropertyShape | None:
        key = self._derived[place].get(path)
        if key is not None and key != self._by:
            formula = formula_of(self._graph, self._signals, key)
            return PropertyShape("number", formula.unit, formula=formula.inner)
        return self._measured[place].get(path) or self._outputs[place].get(path)


def shapes_of(graph: Graph, signals: Signals, model: str) -> Shapes:
    """What rules may name of a model."""
    return Shapes(graph, signals, [model])


def kin_shapes(graph: Graph, signals: Signals, model: str, by: str = "") -> Kin:
    """What the relatives of a model's twins have, by relation.

    Where models have one name in different units or ways, it is `mixed`.
    """

    def lookup(relation: Relation) -> Shapes | None:
        models = candidates(graph, relation, model)
        return None if models is None else Shapes(graph, signals, models, by)

    return lookup


def formula_of(graph: Graph, signals: Signals, key: str) -> Formula:
    """A derived property, checked and compiled against its model; kept until something changes.

    Raises:
        InvalidInput: names the place, the rule and the way out.
    """
    found = signals.compiled.get(key)
    if found is None:
        signals.compiled[key] = InvalidInput(
            f"derived property '{key}' needs itself",
            hint="say whose value is meant, such as 'sum of power of Motor in contains'",
        )
        try:
            found = read_formula(graph, signals, key, signals.derived[key])
        except GemelError as error:
            found = error
        signals.compiled[key] = found
    if isinstance(found, GemelError):
        raise found
    formula: Formula = found
    return formula


def read_formula(graph: Graph, signals: Signals, key: str, doc: Json) -> Formula:
    """A derived property from its document.

    Raises:
        InvalidInput: a field is missing or wrong; in the formula, the error points at the place.
        NotFound: there is no such model.
    """
    place = f"derived property '{key}'"
    for name in ("model", "property", "formula"):
        if not isinstance(doc.get(name), str) or not doc[name].strip():
            raise InvalidInput(f"{place}: '{name}' must be a text", hint=f"give '{name}'")
    for name in doc:
        if name not in (*FIELDS, "id", "version"):
            raise InvalidInput(
                f"{place}: unknown field '{name}'", hint="it has: " + ", ".join(FIELDS)
            )
    model, path = doc["model"], doc["property"]
    if graph.find_model(model) is None:
        raise NotFound(
            f"{place}: there is no model '{model}'",
            hint="GET /models lists them",
            code="ModelNotFound",
        )
    if not all(part.isidentifier() for part in path.split(".")):
        raise InvalidInput(
            f"{place}: '{path}' is no name", hint="letters, digits and _, such as totalPower"
        )
    shapes = Shapes(graph, signals, [model], by=key)
    expression = parse_formula(doc["formula"], key)
    kin = kin_shapes(graph, signals, model, by=key)
    unit = _unit(place, doc.get("unit"), measured_shapes(signals, model).get(path))
    inner, unit = compile_formula(expression, shapes, kin, unit)
    every = _number(place, "every", doc.get("every", 1), 1, LONGEST_EVERY)
    usual = lateness_of(inner.paths, inner.features)
    lateness = _number(place, "lateness", doc.get("lateness", usual), 1, LONGEST_LATENESS)
    return Formula(key, model, path, doc["formula"], unit, inner, round(every), lateness)


def _unit(place: str, given: object, measured: PropertyShape | None) -> str:
    """The DTDL name of the unit: the model's where the model has the property."""
    if measured is not None and measured.kind != "number":
        raise InvalidInput(
            f"{place}: the model's property is no number", hint="choose another name"
        )
    unit = measured.unit if measured is not None else ""
    if given is None or given == "":
        return unit
    if not isinstance(given, str):
        raise InvalidInput(f"{place}: 'unit' must be a text", hint="such as kW or kilowatt")
    found = units.find(given).name
    if measured is not None and found != unit:
        raise InvalidInput(
            f"{place}: the model has it in '{unit or 'no unit'}'", hint="leave 'unit' out"
        )
    return found


def _number(place: str, name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidInput(
            f"{place}: '{name}' {value!r} is not known",
            hint=f"a number of seconds between {low:g} and {high:g}",
        )
    return float(value)
