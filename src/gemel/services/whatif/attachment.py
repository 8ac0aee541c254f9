"""How the twins of a model behave: a behaviour, where its inputs come from, where outputs go.

A formula names plain numbers in the units of the model: telemetry and properties of the twin,
parameters and outputs of its attachments, and those of its relatives (`sum of flow in feeds`).
Such a formula is how one twin's output becomes another's input along a relationship.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.behaviour import Behaviour, behaviour_of
from gemel.services.behaviour.pointwise import pointwise_from

FIELDS = (
    "model", "title", "behaviour", "service", "parameters", "twins", "inputs", "start",
    "outputs", "noise", "hidden", "commands",
)  # fmt: skip
AMOUNT_FIELDS = ("value", "spread", "low", "high", "unit", "about")
WIDEST = 2.0
Formula = float | str


@dataclass(frozen=True, slots=True)
class Amount:
    """A parameter: its value, how sure it is, and what it may be."""

    value: float
    spread: float = 0.0
    """Standard deviation as a share of the value."""
    low: float = float("-inf")
    high: float = float("inf")
    unit: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """One document of kind `behaviour`, checked by itself."""

    id: str
    model: str
    title: str
    behaviour: Behaviour | None
    """None: only formulas."""
    service: str = ""
    """The service of kind `behaviour` from which calibrated parameters are taken."""
    parameters: Mapping[str, Amount] = field(default_factory=dict)
    """Those of the behaviour, and any others that formulas name."""
    own: Mapping[str, Mapping[str, Amount]] = field(default_factory=dict)
    """By twin: parameters that are its own."""
    inputs: Mapping[str, Formula] = field(default_factory=dict)
    start: Mapping[str, Formula] = field(default_factory=dict)
    """By state of the behaviour: where it begins."""
    outputs: Mapping[str, Formula] = field(default_factory=dict)
    """By path of the twin; names mean outputs of the behaviour first."""
    noise: Mapping[str, float] = field(default_factory=dict)
    """By state: what the model does not know, as a deviation in the root of an hour."""
    hidden: Mapping[str, float] = field(default_factory=dict)
    """By state that nobody measures: how unsure its start is. It is found by running the model over
    the hours before, beside what was measured."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """By property: the command that sets it."""

    def amount(self, twin: str, name: str) -> Amount:
        return self.own.get(twin, {}).get(name) or self.parameters[name]


def read_attachment(key: str, doc: Json, foreign: Mapping[str, Json] | None = None) -> Attachment:
    """Reads a document, without looking at the graph; `foreign` are models of others by name.

    Raises:
        InvalidInput: names the place, the rule and the way out.
        NotFound: there is no such behaviour.
    """
    place = f"behaviour '{key}'"
    for name in doc:
        if name not in (*FIELDS, "id", "order"):
            raise InvalidInput(f"{place}: unknown field '{name}'", hint="it has: " + _list(FIELDS))
    model = doc.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidInput(f"{place}: needs a 'model'", hint="a DTMI")
    inputs = _formulas(f"{place}: inputs", doc.get("inputs"))
    name = _text(place, doc, "behaviour")
    behaviour = _behaviour(name, list(inputs), foreign) if name else None
    parameters = _amounts(f"{place}: parameters", doc.get("parameters"), behaviour)
    if behaviour is not None:
        for one in behaviour.parameters:
            parameters.setdefault(one.name, Amount(one.value))
        parameters = {n: _bounded(a, n, behaviour) for n, a in parameters.items()}
    found = Attachment(
        key,
        model,
        _text(place, doc, "title") or (behaviour.title if behaviour else key),
        behaviour,
        _text(place, doc, "service"),
        parameters,
        _own(place, doc.get("twins"), parameters),
        inputs,
        _formulas(f"{place}: start", doc.get("start")),
        _formulas(f"{place}: outputs", doc.get("outputs")),
        _numbers(f"{place}: noise", doc.get("noise")),
        _numbers(f"{place}: hidden", doc.get("hidden")),
        _texts(f"{place}: commands", doc.get("commands")),
    )
    _check(place, found)
    return found


def _behaviour(name: str, inputs: list[str], foreign: Mapping[str, Json] | None) -> Behaviour:
    """Of a scenario: what was learnt elsewhere too, as it needs no states of its own here."""
    entry = (foreign or {}).get(name)
    if entry is not None and entry["format"] == "onnx":
        return pointwise_from(name, entry)
    return behaviour_of(name, inputs, foreign)


def _check(place: str, found: Attachment) -> None:
    if not found.outputs:
        raise InvalidInput(
            f"{place}: has no outputs", hint='such as {"temperature": "temperature"}'
        )
    for path in found.outputs:
        if not all(part.isidentifier() for part in path.split(".")):
            raise InvalidInput(f"{place}: '{path}' is no name", hint="letters, digits and _")
    behaviour = found.behaviour
    if behaviour is None:
        if found.inputs or found.start or found.noise or found.hidden:
            raise InvalidInput(
                f"{place}: inputs, start, noise and hidden are of a behaviour",
                hint="name a 'behaviour'",
            )
        return
    for name in found.inputs:
        behaviour.place("inputs", name)
    starts = frozenset(q.name for q in behaviour.starts)
    for name in (*(n for n in found.start if n not in starts), *found.noise, *found.hidden):
        behaviour.place("states", name)


def _bounded(amount: Amount, name: str, behaviour: Behaviour) -> Amount:
    known = next((q for q in behaviour.parameters if q.name == name), None)
    if known is None:
        return amount
    return Amount(
        amount.value,
        amount.spread,
        max(amount.low, known.low),
        min(amount.high, known.high),
        amount.unit or known.unit,
        amount.about or known.about,
    )


def _own(place: str, given: Any, parameters: Mapping[str, Amount]) -> dict[str, dict[str, Amount]]:
    found: dict[str, dict[str, Amount]] = {}
    for twin, values in _mapping(f"{place}: twins", given).items():
        own = _amounts(f"{place}: twins.{twin}", values, None)
        for name in own:
            if name not in parameters:
                raise InvalidInput(
                    f"{place}: twins.{twin}: there is no parameter '{name}'",
                    hint="one of: " + _list(parameters),
                )
        found[twin] = {n: merged(parameters[n], a) for n, a in own.items()}
    return found


def merged(base: Amount, own: Amount) -> Amount:
    """A twin's own value with what is known of the parameter of its model."""
    return Amount(own.value, own.spread or base.spread, base.low, base.high, base.unit, base.about)


def _amounts(place: str, given: Any, behaviour: Behaviour | None) -> dict[str, Amount]:
    usual = {} if behaviour is None else {q.name: q.value for q in behaviour.parameters}
    return {
        name: _amount(f"{place}.{name}", value, usual.get(name))
        for name, value in _mapping(place, given).items()
    }


def _amount(place: str, value: Any, usual: float | None) -> Amount:
    if not isinstance(value, dict):
        return Amount(_number(place, value))
    for name in value:
        if name not in AMOUNT_FIELDS:
            raise InvalidInput(f"{place}: unknown field '{name}'", hint=_list(AMOUNT_FIELDS))
    if "value" not in value and usual is None:
        raise InvalidInput(f"{place}: needs a 'value'")
    spread = _number(f"{place}.spread", value.get("spread", 0.0))
    if not 0 <= spread <= WIDEST:
        raise InvalidInput(f"{place}: spread is {spread:g}", hint="a share from 0 to 2")
    return Amount(
        _number(f"{place}.value", value.get("value", usual)),
        spread,
        _number(f"{place}.low", value.get("low", float("-inf"))),
        _number(f"{place}.high", value.get("high", float("inf"))),
        str(value.get("unit", "")),
        str(value.get("about", "")),
    )


# ---- reading plain JSON --------------------------------------------------------------------------


def _list(names: Any) -> str:
    return ", ".join(names)


def _mapping(place: str, given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(k, str) for k in given):
        raise InvalidInput(f"{place}: must be a mapping by name")
    return given


def _number(place: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise InvalidInput(f"{place} must be a number, not {str(value)[:40]!r}")
    return float(value)


def _numbers(place: str, given: Any) -> dict[str, float]:
    return {n: _number(f"{place}.{n}", v) for n, v in _mapping(place, given).items()}


def _formulas(place: str, given: Any) -> dict[str, Formula]:
    found: dict[str, Formula] = {}
    for name, value in _mapping(place, given).items():
        found[name] = value if isinstance(value, str) else _number(f"{place}.{name}", value)
    return found


def _texts(place: str, given: Any) -> dict[str, str]:
    found = _mapping(place, given)
    for name, value in found.items():
        if not isinstance(value, str):
            raise InvalidInput(f"{place}.{name} must be a text")
    return found


def _text(place: str, doc: Json, name: str) -> str:
    value = doc.get(name, "")
    if not isinstance(value, str):
        raise InvalidInput(f"{place}: '{name}' must be a text")
    return value
