"""One command: what was asked, by whom, until when, and every step that is known of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import orjson

from gemel.core.clock import from_iso, to_iso
from gemel.core.document import Json

PROPOSED, AWAITING, QUEUED, SENT, DELIVERED, SUCCEEDED, FAILED = (
    "proposed",
    "awaiting",
    "queued",
    "sent",
    "delivered",
    "succeeded",
    "failed",
)
CONFIRMED, UNCONFIRMED, REFUSED, CANCELLED, EXPIRED, UNKNOWN = (
    "confirmed",
    "unconfirmed",
    "refused",
    "cancelled",
    "expired",
    "unknown",
)

NEXT: dict[str, frozenset[str]] = {
    PROPOSED: frozenset({AWAITING, QUEUED, REFUSED, CANCELLED, EXPIRED}),
    AWAITING: frozenset({QUEUED, REFUSED, CANCELLED, EXPIRED}),
    QUEUED: frozenset({SENT, REFUSED, CANCELLED, EXPIRED}),
    SENT: frozenset({DELIVERED, SUCCEEDED, FAILED, CONFIRMED, UNKNOWN}),
    DELIVERED: frozenset({SUCCEEDED, FAILED, CONFIRMED, UNKNOWN}),
    SUCCEEDED: frozenset({CONFIRMED, UNCONFIRMED}),
    FAILED: frozenset(),
    CONFIRMED: frozenset(),
    UNCONFIRMED: frozenset(),
    REFUSED: frozenset(),
    CANCELLED: frozenset(),
    EXPIRED: frozenset(),
    UNKNOWN: frozenset(),
}
"""No way leads back to `queued` or twice to `sent`: a command is sent at most once."""

STATES = tuple(NEXT)
UNSENT = frozenset({PROPOSED, AWAITING, QUEUED})
OVER = frozenset(state for state, following in NEXT.items() if not following)
"""Over in any case; `succeeded` is over too where no reading is to confirm it."""


@dataclass(frozen=True, slots=True)
class Step:
    state: str
    time: int
    who: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Approval:
    """Whose word a command waits for."""

    needed: int
    role: str
    """The least role of those who may approve."""
    until: int
    """ns; what is not approved by then expires."""
    by: tuple[str, ...] = ()
    taken_by: str = ""
    """Who took a proposal over: for four eyes this person is the one who asks."""

    def document(self) -> Json:
        return {
            "needed": self.needed,
            "role": self.role,
            "until": to_iso(self.until),
            "by": list(self.by),
            "takenBy": self.taken_by,
        }


@dataclass(frozen=True, slots=True)
class Check:
    """The reading that confirms a command: it must agree with what was asked."""

    path: str
    asked: Any
    """In the unit of the reading."""
    tolerance: float
    within: int
    """ns after the device said that it succeeded."""
    until: int = 0
    """ns; 0 before the device has answered."""
    seen: Any = None
    """The last value that was looked at."""
    seen_time: int = 0

    def document(self) -> Json:
        return {
            "property": self.path,
            "asked": self.asked,
            "tolerance": self.tolerance,
            "within": self.within / 1e9,
            "until": to_iso(self.until) if self.until else None,
            "seen": self.seen,
            "seenTime": to_iso(self.seen_time) if self.seen_time else None,
        }


@dataclass(frozen=True, slots=True)
class Command:
    id: str
    twin: str
    command: str
    arguments: Any
    state: str
    who: str
    requested: int
    deadline: int
    number: int
    """Position among all commands: those of one device are sent in this order."""
    steps: tuple[Step, ...]
    result: Any = None
    message: str = ""
    service: str = ""
    """The rule or service that asked by itself; "" for a person's command."""
    approval: Approval | None = None
    check: Check | None = None

    @property
    def is_over(self) -> bool:
        return self.state in OVER or (self.state == SUCCEEDED and self.check is None)

    @property
    def is_automatic(self) -> bool:
        """Whether no person has asked for it, or made a proposal theirs."""
        return bool(self.service) and not (self.approval and self.approval.taken_by)

    @property
    def hash(self) -> str:
        """Of what is asked: who approves says with it what was read."""
        asked = [self.id, self.twin, self.command, self.arguments]
        return sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()

    @property
    def sent_at(self) -> int:
        """When it left; 0 if it has not."""
        return next((s.time for s in self.steps if s.state == SENT), 0)

    def moved(self, step: Step, **fields: Any) -> Command:
        """After one more step; a step of the same state is a note."""
        return replace(self, state=step.state, steps=(*self.steps, step), **fields)

    def document(self) -> Json:
        """The JSON of docs/reference/http.md."""
        return {
            "id": self.id,
            "twin": self.twin,
            "command": self.command,
            "arguments": self.arguments,
            "state": self.state,
            "who": self.who,
            "requested": to_iso(self.requested),
            "deadline": to_iso(self.deadline),
            "number": self.number,
            "result": self.result,
            "message": self.message,
            "service": self.service,
            "hash": self.hash,
            "isOver": self.is_over,
            "approval": self.approval.document() if self.approval else None,
            "confirm": self.check.document() if self.check else None,
            "steps": [
                {"state": s.state, "time": to_iso(s.time), "who": s.who, "note": s.note}
                for s in self.steps
            ],
        }


def from_document(doc: Json) -> Command:
    return Command(
        doc["id"],
        doc["twin"],
        doc["command"],
        doc["arguments"],
        doc["state"],
        doc["who"],
        from_iso(doc["requested"]),
        from_iso(doc["deadline"]),
        doc["number"],
        tuple(Step(s["state"], from_iso(s["time"]), s["who"], s["note"]) for s in doc["steps"]),
        doc["result"],
        doc["message"],
        doc.get("service", ""),
        _approval(doc.get("approval")),
        _check(doc.get("confirm")),
    )


def _approval(doc: Json | None) -> Approval | None:
    if doc is None:
        return None
    until = from_iso(doc["until"])
    return Approval(doc["needed"], doc["role"], until, tuple(doc["by"]), doc["takenBy"])


def _check(doc: Json | None) -> Check | None:
    if doc is None:
        return None
    return Check(
        doc["property"],
        doc["asked"],
        doc["tolerance"],
        round(doc["within"] * 1e9),
        from_iso(doc["until"]) if doc["until"] else 0,
        doc["seen"],
        from_iso(doc["seenTime"]) if doc["seenTime"] else 0,
    )
