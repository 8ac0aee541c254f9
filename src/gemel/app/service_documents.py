"""A service's document: its fields, checked; and what stands for its rule in alarms."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gemel.core.document import Json
from gemel.core.errors import InvalidInput, NotFound
from gemel.services.contract import AUTONOMY, Condition, Kind, Output
from gemel.services.registry import kind_of
from gemel.services.rules.compiler import PropertyShape
from gemel.services.rules.rule import Rule, load_rule
from gemel.services.schema import completed

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
FIELDS = ("kind", "title", "model", "twins", "as", "parameters", "autonomy", "enabled", "schedule")
IGNORED = ("id", "version", "isRunning", "problem")
PLAN_FIELDS = ("every", "parameters")
SHORTEST_SCHEDULE = 10.0
AS = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}", re.ASCII)
TwinOf = Callable[[str], object]
ModelOf = Callable[[str], object]


def rule_name(service: str) -> str:
    """What alarms of a service have as their rule."""
    return f"service:{service}"


def review_name(service: str) -> str:
    """What alarms have as their rule that a review of a service raises."""
    return f"review:{service}"


def checked(key: str, body: Json, find_model: ModelOf, find_twin: TwinOf) -> Json:
    """The document of an instance, complete.

    Raises:
        InvalidInput: names the service, the field and what would do.
        NotFound: no such kind, model or twin.
    """
    place = f"service '{key}'"
    if not NAME.fullmatch(key):
        raise InvalidInput(f"'{key[:80]}' is no id of a service", hint="A-Z a-z 0-9 . _ -, to 64")
    body = {name: value for name, value in body.items() if name not in IGNORED}
    for name in body:
        if name not in FIELDS:
            raise InvalidInput(f"{place}: unknown field '{name}'", hint=", ".join(FIELDS))
    kind = kind_of(str(body.get("kind", "")))
    autonomy = body.get("autonomy", "advise")
    if autonomy not in AUTONOMY:
        raise InvalidInput(
            f"{place}: there is no autonomy '{autonomy}'", hint="one of: " + ", ".join(AUTONOMY)
        )
    enabled = body.get("enabled", True)
    if not isinstance(enabled, bool):
        raise InvalidInput(f"{place}: enabled must be true or false")
    title = body.get("title") or kind.title
    if not isinstance(title, str):
        raise InvalidInput(f"{place}: title must be text")
    parameters = completed(kind.parameters, body.get("parameters"), f"{place}: parameters")
    found: Json = {"kind": kind.name, "title": title, "autonomy": autonomy, "enabled": enabled}
    found |= subject_of(body, kind, place, find_model, find_twin)
    found["parameters"] = parameters
    if body.get("as"):
        if not isinstance(body["as"], str) or not AS.fullmatch(body["as"]):
            raise InvalidInput(f"{place}: as must be a name", hint="letters, digits and _, to 32")
        found["as"] = body["as"]
    if body.get("schedule"):
        found["schedule"] = _schedule(body["schedule"], kind, place)
    return found


def named(document: Json, path: str) -> str:
    """What an instance calls a series of its kind: `anomaly.score` is `X.score` with `as: X`."""
    kind, own = document["kind"], document.get("as")
    if own and path.startswith(f"{kind}."):
        return f"{own}{path.removeprefix(kind)}"
    return path


def outputs_of(document: Json) -> tuple[Output, ...]:
    """The outputs of an instance's kind, as it calls them.

    Raises:
        NotFound: its kind is gone.
    """
    outputs = kind_of(document["kind"]).outputs
    return tuple(replace(one, name=named(document, one.name)) for one in outputs)


def outputs_for(document: Json, units: Mapping[str, str]) -> tuple[Output, ...]:
    """As `outputs_of`; what should meet a reading of a twin has its unit.

    Args:
        document: of an instance.
        units: of a twin's model, by path.

    Raises:
        NotFound: its kind is gone.
    """
    expects = kind_of(document["kind"]).expects(document["parameters"])
    met = {named(document, name): path for name, path in expects.items()}
    return tuple(
        replace(one, unit=one.unit or units.get(met.get(one.name, ""), ""))
        for one in outputs_of(document)
    )


def subject_of(body: Json, kind: Kind, place: str, find_model: ModelOf, find_twin: TwinOf) -> Json:
    """`model` or `twins` of a body, whichever it has.

    Raises:
        InvalidInput: both, or neither where one is needed.
        NotFound: no such model or twin.
    """
    model, twins = body.get("model"), body.get("twins")
    if model and twins:
        raise InvalidInput(f"{place}: give a model or twins, not both")
    if model:
        if not isinstance(model, str) or find_model(model) is None:
            raise NotFound(
                f"{place}: there is no model '{model}'",
                hint="GET /models lists them",
                code="ModelNotFound",
            )
        return {"model": model}
    if twins:
        if not isinstance(twins, list) or not all(isinstance(t, str) for t in twins):
            raise InvalidInput(f"{place}: twins must be a list of ids")
        for twin in twins:
            if find_twin(twin) is None:
                raise NotFound(
                    f"{place}: there is no twin '{twin}'",
                    hint="GET /twins lists them",
                    code="DigitalTwinNotFound",
                )
        return {"twins": sorted(set(twins))}
    if kind.per_model:
        raise InvalidInput(f"{place}: needs a 'model' or 'twins'", hint="a DTMI, or a list of ids")
    return {}


def _schedule(given: Any, kind: Kind, place: str) -> Json:
    if not isinstance(given, dict):
        raise InvalidInput(f"{place}: schedule must be a mapping of runs", hint='{"learn": {...}}')
    found: Json = {}
    for name, plan in given.items():
        run = kind.run(name)
        if run is None:
            raise InvalidInput(
                f"{place}: schedule: '{kind.name}' has no run '{name}'",
                hint="one of: " + ", ".join(r.name for r in kind.runs),
            )
        if not isinstance(plan, dict) or set(plan) - set(PLAN_FIELDS):
            raise InvalidInput(f"{place}: schedule.{name} has: " + ", ".join(PLAN_FIELDS))
        every = plan.get("every")
        if isinstance(every, bool) or not isinstance(every, int | float):
            raise InvalidInput(f"{place}: schedule.{name} needs 'every', in seconds")
        if 0 != every < SHORTEST_SCHEDULE:
            raise InvalidInput(
                f"{place}: schedule.{name}.every is {every} s",
                hint=f"at least {SHORTEST_SCHEDULE:g}; 0: not by itself",
            )
        completed(run.parameters, plan.get("parameters"), f"{place}: schedule.{name}.parameters")
        found[name] = plan
    return found


def rule_of(key: str, model: str, version: int, condition: Condition, unit: str) -> Rule:
    """What an alarm book knows a rule by, for the notices of a live part or a review."""
    name = condition.output
    when = f"{name} {'>' if condition.is_above else '<'} {condition.limit:.6g}"
    document = {
        "model": model or "no one model",  # of a list of twins
        "when": when,
        "title": condition.title,
        "priority": condition.priority,
        "class": condition.alarm_class,
    }
    return load_rule(key, document, {name: PropertyShape("number", unit)}, version=version)
