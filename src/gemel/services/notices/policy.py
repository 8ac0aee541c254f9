"""Receivers and notifications as people write them, and what they match."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gemel.core.clock import SECOND
from gemel.core.document import Json
from gemel.core.errors import InvalidInput

KINDS = {"email": ("to",), "webhook": ("url", "secret"), "mqtt": ("topic",)}
MOST_STEPS = 10
LONGEST_AFTER = 7 * 86_400.0
ADDRESS = re.compile(r"[^@\s,;<>\"]{1,200}@[^@\s,;<>\"]{1,200}", re.ASCII)
CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours in which a receiver is not told of some priorities."""

    begin: int
    """Minutes after midnight."""
    end: int
    zone: str
    priorities: frozenset[int]

    def until(self, priority: int, now: int) -> int | None:
        """When the quiet hours end that hold now; None if they do not hold."""
        if priority not in self.priorities:
            return None
        local = (EPOCH + timedelta(seconds=now // SECOND)).astimezone(ZoneInfo(self.zone))
        minute = local.hour * 60 + local.minute
        is_over_night = self.end <= self.begin
        inside = (
            minute >= self.begin or minute < self.end
            if is_over_night
            else self.begin <= minute < self.end
        )
        if not inside:
            return None
        days = 1 if is_over_night and minute >= self.begin else 0
        wall = datetime(local.year, local.month, local.day, tzinfo=ZoneInfo(self.zone))
        wall += timedelta(days=days, minutes=self.end)
        return max(round((wall - EPOCH).total_seconds()) * SECOND, now + SECOND)


@dataclass(frozen=True, slots=True)
class Receiver:
    name: str
    kind: str
    to: tuple[str, ...] = ()
    url: str = ""
    secret: str = ""
    topic: str = ""
    quiet: Quiet | None = None


@dataclass(frozen=True, slots=True)
class StepTo:
    """After so many seconds without an acknowledgement, these are told."""

    after: float
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Notification:
    name: str
    priorities: frozenset[int]
    rules: frozenset[str]
    classes: frozenset[str]
    subtree: str
    steps: tuple[StepTo, ...]
    members: bool
    """Whether each alarm of a group is told, and not only its cause and first-out."""

    def matches(self, alarm: Json, is_below: Callable[[str, str], bool]) -> bool:
        """Whether it tells of an alarm.

        Args:
            alarm: its document.
            is_below: (twin, top) whether a twin is, or is contained in, another.
        """
        return (
            alarm["priority"] in self.priorities
            and (not self.rules or alarm["rule"] in self.rules)
            and (not self.classes or alarm["class"] in self.classes)
            and (not self.subtree or is_below(alarm["twin"], self.subtree))
        )


def read_receiver(name: str, found: Json) -> Receiver:
    """A receiver from its document; addresses of webhooks are checked where they are resolved.

    Raises:
        InvalidInput: names the receiver, the field and what was expected.
    """
    place = f"receiver '{name}'"
    kind = found.get("kind")
    if kind not in KINDS:
        raise InvalidInput(
            f"{place}: kind {kind!r} is not known", hint="one of: " + ", ".join(KINDS)
        )
    known = {"kind", "quiet", *KINDS[kind]}
    if unknown := sorted(set(found) - known):
        raise InvalidInput(
            f"{place}: unknown field '{unknown[0]}'", hint="known: " + ", ".join(sorted(known))
        )
    to = found.get("to", [])
    to = [to] if isinstance(to, str) else to
    if kind == "email" and not (_texts(to) and to and all(ADDRESS.fullmatch(one) for one in to)):
        raise InvalidInput(f"{place}: 'to' must be e-mail addresses", hint="like [ann@example.com]")
    texts = {name: found.get(name, "") for name in ("url", "secret", "topic")}
    if not all(isinstance(text, str) and len(text) <= 2_000 for text in texts.values()):
        raise InvalidInput(f"{place}: its fields must be texts")
    topic = texts["topic"]
    if kind == "mqtt" and (not topic or set("+#\0") & set(topic) or _is_ours(topic)):
        raise InvalidInput(
            f"{place}: '{topic}' is no topic to publish to",
            hint="like notices/control-room; not below devices/ or $",
        )
    return Receiver(name, kind, tuple(to), **texts, quiet=_quiet(place, found.get("quiet")))


def _is_ours(topic: str) -> bool:
    return topic.startswith(("devices/", "$", "v1/devices/"))


def _quiet(place: str, found: Any) -> Quiet | None:
    if found is None:
        return None
    hint = (
        'like {"from": "22:00", "to": "06:00", "timeZone": "Europe/Berlin", "priorities": [3, 4]}'
    )
    if not isinstance(found, dict) or set(found) - {"from", "to", "timeZone", "priorities"}:
        raise InvalidInput(f"{place}: 'quiet' is not known", hint=hint)
    times = [CLOCK.fullmatch(str(found.get(name, ""))) for name in ("from", "to")]
    minutes = [int(m[1]) * 60 + int(m[2]) for m in times if m is not None]
    if len(minutes) != 2 or minutes[0] == minutes[1]:
        raise InvalidInput(f"{place}: 'quiet' needs 'from' and 'to' as HH:MM", hint=hint)
    zone = found.get("timeZone", "UTC")
    try:
        ZoneInfo(str(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"{place}: there is no time zone {zone!r}", hint=hint) from None
    return Quiet(
        minutes[0], minutes[1], str(zone), _priorities(place, found.get("priorities", [3, 4]))
    )


def read_notification(name: str, found: Json) -> Notification:
    """A notification from its document.

    Raises:
        InvalidInput: names the notification, the field and what was expected.
    """
    place = f"notification '{name}'"
    known = {"priorities", "rules", "classes", "subtree", "steps", "members"}
    if unknown := sorted(set(found) - known):
        raise InvalidInput(
            f"{place}: unknown field '{unknown[0]}'", hint="known: " + ", ".join(sorted(known))
        )
    rules, classes = found.get("rules", []), found.get("classes", [])
    subtree, members = found.get("subtree", ""), found.get("members", False)
    if not _texts(rules) or not _texts(classes) or not isinstance(subtree, str):
        raise InvalidInput(f"{place}: rules and classes are lists of texts, subtree is a twin")
    if not isinstance(members, bool):
        raise InvalidInput(f"{place}: 'members' must be true or false")
    return Notification(
        name,
        _priorities(place, found.get("priorities", [1, 2, 3, 4])),
        frozenset(rules),
        frozenset(classes),
        subtree,
        _steps(place, found.get("steps")),
        members,
    )


def _steps(place: str, found: Any) -> tuple[StepTo, ...]:
    hint = 'like [{"to": ["ops"]}, {"after": 600, "to": ["shift-leader"]}]'
    if not isinstance(found, list) or not 0 < len(found) <= MOST_STEPS:
        raise InvalidInput(f"{place}: needs 1 to {MOST_STEPS} 'steps'", hint=hint)
    steps = []
    for one in found:
        if not isinstance(one, dict) or set(one) - {"after", "to"}:
            raise InvalidInput(f"{place}: a step is {{after, to}}", hint=hint)
        after, to = one.get("after", 0), one.get("to")
        is_number = isinstance(after, int | float) and not isinstance(after, bool)
        if not is_number or not 0 <= after <= LONGEST_AFTER:
            raise InvalidInput(f"{place}: 'after' must be seconds, at most 7 days", hint=hint)
        if not _texts(to) or not to:
            raise InvalidInput(f"{place}: 'to' must name receivers", hint=hint)
        steps.append(StepTo(float(after), tuple(to)))
    return tuple(steps)


def _priorities(place: str, found: Any) -> frozenset[int]:
    if not isinstance(found, list) or not all(type(p) is int and 1 <= p <= 4 for p in found):
        raise InvalidInput(f"{place}: 'priorities' must be a list of 1 to 4", hint="like [1, 2]")
    return frozenset(found)


def _texts(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(one, str) and one for one in found)


def names_in(notification: Notification) -> Sequence[str]:
    """The receivers that a notification leads to."""
    return [name for step in notification.steps for name in step.to]
