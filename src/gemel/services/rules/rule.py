"""A rule as people save it: a document with a text, checked and compiled against its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.rules.compiler import Kernel, PropertyShape, compile_rule
from gemel.services.rules.parser import parse

FIELDS = {"id", "version", "model", "when", "priority", "title", "then", "enabled"}


@dataclass(frozen=True, slots=True)
class Action:
    """A command that the rule asks for when it raises."""

    command: str
    arguments: Any = None


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


def load_rule(
    key: str,
    document: Json,
    properties: Mapping[str, PropertyShape],
    *,
    version: int = 1,
    stale_after: float = 30.0,
) -> Rule:
    """Checks a rule's document against its model.

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
    return Rule(
        key,
        version,
        _text(key, document, "model"),
        when,
        _priority(key, document.get("priority", 3)),
        title,
        _action(key, document.get("then")),
        compile_rule(parse(when, key), properties),
        stale_after,
    )


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


def _action(key: str, value: object) -> Action | None:
    if value is None:
        return None
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("command"), str)
        or not value["command"]
        or set(value) - {"command", "arguments"}
    ):
        raise InvalidInput(
            f"rule '{key}': 'then' is not an action",
            hint='write {"command": "setSpeed", "arguments": 50}',
        )
    return Action(value["command"], value.get("arguments"))
