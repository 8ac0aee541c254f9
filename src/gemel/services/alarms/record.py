"""What happened to alarms: the steps between the versions of their documents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gemel.core.clock import from_iso, to_iso
from gemel.core.document import Json, Version


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done to one alarm."""

    alarm: str
    time: int
    """When it was done; ns since 1970 UTC."""
    who: str
    what: str
    """In words: raised, back to normal, acknowledged, shelved, ..."""
    state: str
    """After it."""
    raises: int
    """How often it was raised in this step, annunciated or not."""
    raised: int
    """Event time of the latest raise; ns."""
    comment: str
    doc: Json

    def to_json(self) -> Json:
        return {
            "time": to_iso(self.time),
            "who": self.who,
            "what": self.what,
            "state": self.state,
            "comment": self.comment,
        }


def step_between(before: Json | None, version: Version) -> Step | None:
    """The step that led from one version of an alarm to the next; None for a deletion."""
    doc = version.doc
    if doc is None:
        return None
    earlier = before["comments"] if before else []
    said = [one["text"] for one in doc["comments"][len(earlier) :]]
    return Step(
        doc["id"],
        version.time,
        version.who,
        version.why or doc["state"],
        doc["state"],
        doc["occurrences"] - (before["occurrences"] if before else 0),
        from_iso(doc["lastRaised"]),
        "\n".join(said),
        doc,
    )


def steps_of(versions: Iterable[Version]) -> list[Step]:
    """All steps of one alarm, the oldest first."""
    found = []
    before: Json | None = None
    for version in versions:
        step = step_between(before, version)
        if step is not None:
            found.append(step)
        before = version.doc
    return found
