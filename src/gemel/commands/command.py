"""One command: what was asked, by whom, until when, and every step that is known of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gemel.core.clock import from_iso, to_iso
from gemel.core.document import Json

QUEUED, SENT, DELIVERED, SUCCEEDED, FAILED, EXPIRED, UNKNOWN = STATES = (
    "queued",
    "sent",
    "delivered",
    "succeeded",
    "failed",
    "expired",
    "unknown",
)

NEXT: dict[str, frozenset[str]] = {
    QUEUED: frozenset({SENT, EXPIRED}),
    SENT: frozenset({DELIVERED, SUCCEEDED, FAILED, UNKNOWN}),
    DELIVERED: frozenset({SUCCEEDED, FAILED, UNKNOWN}),
    SUCCEEDED: frozenset(),
    FAILED: frozenset(),
    EXPIRED: frozenset(),
    UNKNOWN: frozenset(),
}
"""No way leads back to `queued` or twice to `sent`: a command is sent at most once."""

OVER = frozenset(state for state, following in NEXT.items() if not following)


@dataclass(frozen=True, slots=True)
class Step:
    state: str
    time: int
    who: str
    note: str = ""


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

    @property
    def is_over(self) -> bool:
        return self.state in OVER

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
    )
