"""A rule as people save it: a document with a text, checked and compiled against its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.core.series import BESIDE
from gemel.services.rules.compiler import Kernel, PropertyShape
from gemel.services.rules.design import FIELDS as DESIGN_FIELDS
from gemel.services.rules.design import PLAIN, Design, read_design
from gemel.services.rules.expression import Comparison, Number
from gemel.services.rules.features import Feature, every_path
from gemel.services.rules.measures import Kin, compile_rule, no_kin
from gemel.services.rules.parser import parse

FIELDS = {
    "id",
    "version",
    "model",
    "when",
    "priority",
    "title",
    "then",
    "enabled",
    "parameters",
    "lateness",
    "timeZone",
    *DESIGN_FIELDS,
}
LATENESS = 2.0
"""Seconds that a rule with words about time or relatives waits for readings on their way."""
LATENESS_BESIDE = 5.0
"""Of a rule that names what services and programs find, which is there a moment later."""
LONGEST_LATENESS = 3_600.0


@dataclass(frozen=True, slots=True)
class Action:
    """A command that the rule asks for when it raises."""

    command: str
    arguments: Any = None
    autonomy: Any = None
    """How far the rule may go by itself; `app` checks it."""


@dataclass(frozen=True, slots=True)
class Rule:
    id: str
    version: int
    model: str
    when: str
    priority: int
    """1 (highest) to 4."""
    title: str
    then: Action | None
    kernel: Kernel
    stale_after: float = 30.0
    """Seconds without any reading after which a twin's last values are no longer believed."""
    lateness: float = 0.0
    """Seconds that it waits for readings on their way; 0 is judged at once, reading by reading."""
    design: Design = PLAIN
    """What people are told of its alarms, and what holds them back."""

    @property
    def is_clocked(self) -> bool:
        """Whether it is judged once a second in order of source time (see `clocked`)."""
        return self.lateness > 0


def load_rule(
    key: str,
    document: Json,
    properties: Mapping[str, PropertyShape],
    *,
    version: int = 1,
    stale_after: float = 30.0,
    kin: Kin = no_kin,
) -> Rule:
    """Checks a rule's document against its model.

    Args:
        key: the rule's id.
        document: its fields.
        properties: what the model's twins measure, by path.
        version: of the document.
        stale_after: of the model, in seconds.
        kin: what the relatives over a relationship measure.

    Raises:
        InvalidInput: names the rule, the field or the place in `when`, and what was expected.
    """
    unknown = sorted(set(document) - FIELDS)
    if unknown:
        raise InvalidInput(
            f"rule '{key}' has the unknown field '{unknown[0]}'",
            hint="a rule has: " + ", ".join(sorted(FIELDS)),
        )
    when = _text(key, document, "when")
    title = _text(key, document, "title") if document.get("title") else when
    kernel = compile_rule(
        parse(when, key),
        properties,
        kin,
        _parameters(key, document.get("parameters")),
        _zone(key, document.get("timeZone")),
    )
    return Rule(
        key,
        version,
        _text(key, document, "model"),
        when,
        _priority(key, document.get("priority", 3)),
        title,
        _action(key, document.get("then")),
        kernel,
        stale_after,
        _lateness(key, document.get("lateness"), _least_lateness(kernel)),
        read_design(key, document),
    )


def lateness_of(paths: tuple[str, ...], features: Mapping[str, Feature]) -> float:
    """Of what is judged in order: services and forecasts write their values a moment later."""
    is_beside = any(BESIDE in path for path in every_path(paths, features))
    return LATENESS_BESIDE if is_beside else LATENESS


def _least_lateness(kernel: Kernel) -> float:
    least = lateness_of(kernel.paths, kernel.features)
    return least if kernel.features or least > LATENESS else 0.0


def _text(key: str, document: Json, name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(f"rule '{key}': '{name}' must be a text", hint=f"give '{name}'")
    return value


def _priority(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 4:
        raise InvalidInput(
            f"rule '{key}': priority {value!r} is not known",
            hint="1 is the highest and 4 the lowest",
        )
    return value


def _lateness(key: str, value: object, default: float) -> float:
    if value is None:
        return default
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 <= value <= LONGEST_LATENESS
        or value < min(default, 1.0)
    ):
        least = 1 if default else 0
        raise InvalidInput(
            f"rule '{key}': lateness {value!r} is not known",
            hint=f"a number of seconds between {least} and {LONGEST_LATENESS:.0f}",
        )
    return float(value)


def _zone(key: str, value: object) -> str:
    if value is None:
        return "UTC"
    try:
        ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(
            f"rule '{key}': there is no time zone {value!r}", hint="such as Europe/Berlin or UTC"
        ) from None
    return str(value)


def _parameters(key: str, value: object) -> dict[str, Number]:
    if value is None:
        return {}
    found = {}
    for name, given in value.items() if isinstance(value, dict) else [("", value)]:
        if not isinstance(name, str) or not name:
            raise InvalidInput(
                f"rule '{key}': 'parameters' are not names with numbers",
                hint='write {"limit": 80} or {"limit": "80 °C"}',
            )
        found[name] = _default(key, name, given)
    return found


def _default(key: str, name: str, given: object) -> Number:
    if isinstance(given, str):
        try:
            node = parse(f"x > {given}", key).condition
        except InvalidInput:
            node = None
        if isinstance(node, Comparison) and isinstance(node.right, Number):
            return node.right
    elif isinstance(given, int | float) and not isinstance(given, bool):
        return Number(float(given), "", 0)
    raise InvalidInput(
        f"rule '{key}': the parameter '{name}' is no number",
        hint='a number, or a text with a unit such as "80 °C"',
    )


def _action(key: str, value: object) -> Action | None:
    if value is None:
        return None
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("command"), str)
        or not value["command"]
        or set(value) - {"command", "arguments", "autonomy"}
    ):
        raise InvalidInput(
            f"rule '{key}': 'then' is not an action",
            hint='write {"command": "setSpeed", "arguments": 50}',
        )
    return Action(value["command"], value.get("arguments"), value.get("autonomy"))
