"""How far a rule or a service may go by itself: suggest, ask for approval, act within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gemel.commands.settings import Limit, Range, limit, number
from gemel.core.document import Json
from gemel.core.errors import InvalidInput

SUGGEST, APPROVE, ACT = LEVELS = ("suggest", "approve", "act")
FIELDS = ("level", "minimum", "maximum", "most", "seconds", "when")


@dataclass(frozen=True, slots=True)
class Autonomy:
    """What a rule or service may do by itself; outside the bounds a person decides."""

    level: str = ACT
    range: Range = (None, None)
    limit: Limit | None = None
    when: str = ""
    """A condition in the language of rules, such as `between 06:00 and 22:00`."""


def load(place: str, doc: object) -> Autonomy:
    """Reads `suggest`, or `{"level": "act", "maximum": 60, "most": 4, "seconds": 3600, ...}`.

    Raises:
        InvalidInput: names the place and the rule.
    """
    found: dict[str, Any] = {"level": doc} if isinstance(doc, str) else {}
    if isinstance(doc, dict):
        found = doc
    if not found or found.get("level") not in LEVELS:
        raise InvalidInput(
            f"{place}: {str(doc)[:60]!r} is no level of autonomy",
            hint="one of " + ", ".join(LEVELS),
        )
    for name in found:
        if name not in FIELDS:
            raise InvalidInput(
                f"{place}: unknown field '{name}'", hint="known: " + ", ".join(FIELDS)
            )
    low, high = (
        None if found.get(n) is None else number(f"{place}.{n}", found[n], -1e300, 1e300)
        for n in ("minimum", "maximum")
    )
    if low is not None and high is not None and low > high:
        raise InvalidInput(f"{place}: minimum is above maximum")
    when = found.get("when", "")
    if not isinstance(when, str):
        raise InvalidInput(f"{place}.when: must be a text", hint="between 06:00 and 22:00")
    often = None
    if "most" in found or "seconds" in found:
        counted = {name: found.get(name) for name in ("most", "seconds")}
        often = limit(place, "service", counted)
    return Autonomy(str(found["level"]), (low, high), often, when)


def document(found: Autonomy) -> Json:
    """The JSON that `load` reads back to the same."""
    doc: Json = {"level": found.level}
    for name, value in zip(("minimum", "maximum"), found.range, strict=True):
        if value is not None:
            doc[name] = value
    if found.limit is not None:
        doc |= {"most": found.limit.most, "seconds": found.limit.seconds}
    return doc | ({"when": found.when} if found.when else {})
