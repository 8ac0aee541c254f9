"""Whether a twin fits its model, worked out once for each model: the yes that most twins get.

`validate` says what is wrong and why. It walks the model anew for each twin, which costs more than
all else that is done to a twin; so it asks here first, and walks only where the answer is no.
Both decide the same: a test holds them against each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gemel.core.document import Json
from gemel.twins.dtdl.interface import Component, Interface, Property, Relationship
from gemel.twins.dtdl.schema import INTEGER_RANGES, Enum, Primitive, Schema

FindModel = Callable[[str], Interface | None]
Fits = Callable[[object], bool]
PLAN = "fitting"
"""Where the plan of an interface or relationship is among what it shares."""


class Plan:
    """What a model asks of the documents of its twins."""

    __slots__ = ("components", "values")

    def __init__(self, interface: Interface) -> None:
        contents = interface.contents
        self.values = {n: fits_of(c.schema) for n, c in contents.items() if isinstance(c, Property)}
        self.components = {n: c.schema for n, c in contents.items() if isinstance(c, Component)}


def plan_of(interface: Interface) -> Plan:
    found: Plan | None = interface.shared.get(PLAN)
    if found is None:
        found = interface.shared[PLAN] = Plan(interface)
    return found


def fits(interface: Interface, container: Json, find_model: FindModel) -> bool:
    """Whether `validate` finds nothing wrong with a twin or component; never a wrong yes.

    One that gives source times in `$metadata`, or numbers near the end of a double, gets a no.
    """
    plan = plan_of(interface)
    values, components = plan.values, plan.components
    for name, value in container.items():
        check = values.get(name)
        if check is not None:
            if not check(value):
                return False
        elif name[:1] != "$" and name not in components:
            return False
    for name, entry in container["$metadata"].items():
        if name[:1] != "$" and (type(entry) is not dict or "sourceTime" in entry):
            return False
    return not components or all(
        _component_fits(container.get(name), model, find_model)
        for name, model in components.items()
    )


def _component_fits(value: object, model: str, find_model: FindModel) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("$metadata"), dict):
        return False
    if any(name[:1] == "$" and name != "$metadata" for name in value):
        return False
    inner = find_model(model)
    return inner is not None and fits(inner, value, find_model)


def values_fit(relationship: Relationship, values: Json) -> bool:
    """Whether `validate` finds nothing wrong with the properties of a relationship."""
    if not values:
        return True
    checks: dict[str, Fits] | None = relationship.shared.get(PLAN)
    if checks is None:
        checks = {name: fits_of(one.schema) for name, one in relationship.properties.items()}
        relationship.shared[PLAN] = checks
    for name, value in values.items():
        check = checks.get(name)
        if check is None or not check(value):
            return False
    return True


def fits_of(schema: Schema) -> Fits:
    """Whether a value is of a schema; the common kinds without a look at anything else."""
    if isinstance(schema, Enum):
        return _enum(schema)
    if isinstance(schema, Primitive):
        if schema.kind == "double":
            return _is_double
        if schema.kind == "string":
            return _is_text
        if schema.kind == "boolean":
            return _is_boolean
        if schema.kind in INTEGER_RANGES:
            return _whole(schema)
    return lambda value: not schema.check(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool)


def _is_double(value: Any) -> bool:
    kind = type(value)
    if kind is float:
        return math.isfinite(value)
    return kind is int and -(10**300) < value < 10**300


def _whole(schema: Primitive) -> Fits:
    lowest, highest = INTEGER_RANGES[schema.kind]

    def is_whole(value: Any) -> bool:
        if type(value) is int:
            return bool(lowest <= value <= highest)
        return not schema.check(value)

    return is_whole


def _enum(schema: Enum) -> Fits:
    wanted, values = (str if schema.value_kind == "string" else int), schema.values
    return lambda value: type(value) is wanted and value in values
