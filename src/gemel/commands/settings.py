"""What a plant says of a command beside its model: who, how much, how often, with whose word.

The JSON is `commands` among the settings of a model (docs/formats/plant.md); `load` checks it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gemel.core.errors import InvalidInput

FIELDS = (
    "minimum",
    "maximum",
    "fields",
    "role",
    "interlocks",
    "limits",
    "approval",
    "confirm",
    "repeatable",
)
RANKS = ("operator", "engineer", "admin")
"""Roles that send commands, the least first."""
SCOPES = ("command", "device", "person")
MOST_COUNTED = 1_000
LONGEST_LIMIT = 86_400.0
Range = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Interlock:
    when: str
    """In the language of rules: must hold when the command is asked for, and when it is sent."""
    title: str


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many in so many seconds."""

    scope: str
    """`command`: this one on one device; `device`: all of a device; `person`: this one by one
    person; `service`: all of a rule or service."""
    most: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Approving:
    needed: int = 1
    role: str = "operator"
    within: float = 600.0


@dataclass(frozen=True, slots=True)
class Confirming:
    path: str
    tolerance: float = 0.0
    within: float = 60.0
    field: str = ""
    """The field of the request that is compared; "" for the whole."""
    value: Any = None
    """What is compared instead of the request, where it has no arguments."""


@dataclass(frozen=True, slots=True)
class Guards:
    minimum: float | None = None
    maximum: float | None = None
    fields: Mapping[str, Range] = field(default_factory=dict)
    role: str = ""
    interlocks: tuple[Interlock, ...] = ()
    limits: tuple[Limit, ...] = ()
    approval: Approving | None = None
    confirm: Confirming | None = None
    repeatable: bool = False
    """Whether the device may get it twice."""


NONE = Guards()


def load(place: str, doc: object) -> Guards:
    """Reads the settings of one command.

    Raises:
        InvalidInput: names the place and the rule.
    """
    found = _object(place, doc, FIELDS)
    low, high = _range(place, found)
    approval, confirm = found.get("approval"), found.get("confirm")
    return Guards(
        low,
        high,
        {
            name: _range(f"{place}.fields.{name}", _object(f"{place}.fields.{name}", one, LIMITS))
            for name, one in _object(f"{place}.fields", found.get("fields") or {}).items()
        },
        _role(f"{place}.role", found["role"]) if found.get("role") else "",
        _interlocks(f"{place}.interlocks", found.get("interlocks") or []),
        _limits(f"{place}.limits", found.get("limits") or {}),
        None if approval in (None, False) else _approving(f"{place}.approval", approval),
        None if confirm is None else _confirming(f"{place}.confirm", confirm),
        _truth(f"{place}.repeatable", found.get("repeatable", False)),
    )


LIMITS = ("minimum", "maximum")


def _object(place: str, doc: object, known: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(doc, dict):
        raise InvalidInput(f"{place}: must be a mapping, not {str(doc)[:60]!r}")
    for name in doc:
        if known and name not in known:
            raise InvalidInput(
                f"{place}: unknown field '{name}'", hint="known: " + ", ".join(known)
            )
    return doc


def number(place: str, value: object, least: float, most: float) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or not least <= value <= most
    ):
        raise InvalidInput(f"{place}: must be a number from {least:g} to {most:g}, not {value!r}")
    return float(value)


def _whole(place: str, value: object, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise InvalidInput(f"{place}: must be a whole number from 1 to {most:,}, not {value!r}")
    return value


def _text(place: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 1_000:
        raise InvalidInput(f"{place}: must be a text, not {str(value)[:60]!r}")
    return value


def _truth(place: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(f"{place}: must be true or false, not {str(value)[:60]!r}")
    return value


def _range(place: str, doc: Mapping[str, Any]) -> Range:
    low, high = (
        None if doc.get(name) is None else number(f"{place}.{name}", doc[name], -1e300, 1e300)
        for name in LIMITS
    )
    if low is not None and high is not None and low > high:
        raise InvalidInput(f"{place}: minimum is above maximum")
    return low, high


def _role(place: str, value: object) -> str:
    if value not in RANKS:
        raise InvalidInput(
            f"{place}: '{value}' sends no commands", hint="one of " + ", ".join(RANKS)
        )
    return str(value)


def _interlocks(place: str, value: object) -> tuple[Interlock, ...]:
    if not isinstance(value, list) or len(value) > 50:
        raise InvalidInput(f"{place}: must be a list of at most 50 conditions")
    found = []
    for row, one in enumerate(value):
        here = f"{place}[{row}]"
        if isinstance(one, str):
            one = {"when": one}
        doc = _object(here, one, ("when", "title"))
        when = _text(f"{here}.when", doc.get("when"))
        found.append(
            Interlock(when, _text(f"{here}.title", doc["title"]) if "title" in doc else when)
        )
    return tuple(found)


def limit(place: str, scope: str, value: object) -> Limit:
    """`{"most": 5, "seconds": 60}` as a limit."""
    doc = _object(place, value, ("most", "seconds"))
    most = _whole(f"{place}.most", doc.get("most"), MOST_COUNTED)
    return Limit(scope, most, number(f"{place}.seconds", doc.get("seconds"), 0.001, LONGEST_LIMIT))


def _limits(place: str, value: object) -> tuple[Limit, ...]:
    doc = _object(place, value, SCOPES)
    return tuple(limit(f"{place}.{scope}", scope, one) for scope, one in doc.items())


def _approving(place: str, value: object) -> Approving:
    doc = {} if value is True else _object(place, value, ("needed", "role", "within"))
    return Approving(
        _whole(f"{place}.needed", doc.get("needed", 1), 10),
        _role(f"{place}.role", doc.get("role", "operator")),
        number(f"{place}.within", doc.get("within", 600), 1, LONGEST_LIMIT),
    )


def _confirming(place: str, value: object) -> Confirming:
    doc = _object(place, value, ("property", "tolerance", "within", "field", "value"))
    return Confirming(
        _text(f"{place}.property", doc.get("property")),
        number(f"{place}.tolerance", doc.get("tolerance", 0), 0, 1e300),
        number(f"{place}.within", doc.get("within", 60), 0.1, LONGEST_LIMIT),
        _text(f"{place}.field", doc["field"]) if "field" in doc else "",
        doc.get("value"),
    )
