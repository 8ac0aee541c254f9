"""What a rule says about its alarms beside the condition: words for people, and what holds them.

The words are those of ISA-18.2's rationalisation: class, cause, consequence, response.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gemel.core.errors import InvalidInput

WORDS = ("class", "cause", "consequence", "response")
FIELDS = (*WORDS, "repeats", "suppressedBy")
REPEATS = ("fold", "each")
LONGEST_WORDS = 2_000
MOST_SUPPRESSORS = 20
MOST_HOPS = 32


@dataclass(frozen=True, slots=True)
class Suppressor:
    """What holds an alarm back: a rule that stands, or a property with a value.

    It is looked for on the twin itself, or on its relatives over relationships.
    """

    rule: str = ""
    property: str = ""
    value: object = None
    over: tuple[str, ...] = ()
    """Names of relationships; none: the twin itself."""
    direction: str = "in"
    """`in`: relatives whose relationship leads to the twin; `out`: those it leads to."""
    hops: int = MOST_HOPS


@dataclass(frozen=True, slots=True)
class Design:
    alarm_class: str = ""
    cause: str = ""
    consequence: str = ""
    response: str = ""
    repeats: str = "fold"
    """`each`: what raises again is an alarm of its own, also before the last was acknowledged."""
    suppressors: tuple[Suppressor, ...] = ()


PLAIN = Design()


def read_design(key: str, document: Mapping[str, Any]) -> Design:
    """Reads the fields of a rule that say how its alarms are shown.

    Raises:
        InvalidInput: names the rule, the field and what was expected.
    """
    words: dict[str, str] = {}
    for name in WORDS:
        value = document.get(name) or ""
        if not isinstance(value, str) or len(value) > LONGEST_WORDS:
            raise InvalidInput(
                f"rule '{key}': '{name}' must be a text",
                hint=f"at most {LONGEST_WORDS:,} characters",
            )
        words[name] = value.strip()
    repeats = document.get("repeats") or "fold"
    if repeats not in REPEATS:
        raise InvalidInput(f"rule '{key}': repeats {repeats!r} is not known", hint="fold or each")
    found = document.get("suppressedBy") or []
    if not isinstance(found, list) or len(found) > MOST_SUPPRESSORS:
        raise InvalidInput(
            f"rule '{key}': 'suppressedBy' must be a list of at most {MOST_SUPPRESSORS}",
            hint='like [{"rule": "feeder-dead", "over": ["feeds"]}]',
        )
    return Design(
        words["class"],
        words["cause"],
        words["consequence"],
        words["response"],
        repeats,
        tuple(_suppressor(key, one) for one in found),
    )


def _suppressor(key: str, found: object) -> Suppressor:
    known = {"rule", "property", "is", "over", "direction", "hops"}
    if not isinstance(found, dict) or set(found) - known:
        raise _invalid(key, found)
    over = found.get("over") or []
    over = [over] if isinstance(over, str) else over
    hops = found.get("hops", MOST_HOPS)
    rule, path = found.get("rule", ""), found.get("property", "")
    if (
        not isinstance(over, list)
        or not all(isinstance(name, str) and name for name in over)
        or not isinstance(rule, str)
        or not isinstance(path, str)
        or bool(rule) == bool(path)
        or (bool(path) != ("is" in found))
        or found.get("direction", "in") not in ("in", "out")
        or isinstance(hops, bool)
        or not isinstance(hops, int)
        or not 1 <= hops <= MOST_HOPS
        or rule == key
    ):
        raise _invalid(key, found)
    return Suppressor(rule, path, found.get("is"), tuple(over), found.get("direction", "in"), hops)


def _invalid(key: str, found: object) -> InvalidInput:
    return InvalidInput(
        f"rule '{key}': suppressedBy {str(found)[:100]} is not known",
        hint='{"rule": ID} of another rule or {"property": PATH, "is": VALUE}; with '
        '"over": [RELATIONSHIP], "direction": in or out and "hops": 1 to 32 on relatives',
    )
