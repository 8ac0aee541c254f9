"""The states of an alarm and the acts that lead from one to another: one table, no other way.

Source: ISA-18.2-2016 and IEC 62682:2022, the alarm state transition diagram, in our words.
"""

from __future__ import annotations

from typing import NamedTuple

from gemel.core.document import Json
from gemel.core.errors import Conflict, GemelError

(UNACKNOWLEDGED, ACKNOWLEDGED, RETURNED, NORMAL, SHELVED, SUPPRESSED, REMOVED) = STATES = (
    "unacknowledged",
    "acknowledged",
    "returned",
    "normal",
    "shelved",
    "suppressed",
    "out-of-service",
)

RAISE, RETURN = "raise", "return"
ACKNOWLEDGE, UNACKNOWLEDGE = "acknowledge", "unacknowledge"
SHELVE, UNSHELVE, EXPIRE = "shelve", "unshelve", "expire"
SUPPRESS, RELEASE = "suppress", "release"
REMOVE, RESTORE = "out-of-service", "return-to-service"
CLOSE = "close"
ACTS = (
    RAISE,
    RETURN,
    ACKNOWLEDGE,
    UNACKNOWLEDGE,
    SHELVE,
    UNSHELVE,
    EXPIRE,
    SUPPRESS,
    RELEASE,
    REMOVE,
    RESTORE,
    CLOSE,
)
OF_RULES = frozenset({RAISE, RETURN})
OF_DESIGN = frozenset({EXPIRE, SUPPRESS, RELEASE})
OF_PEOPLE = frozenset(ACTS) - OF_RULES - OF_DESIGN


class Next(NamedTuple):
    """The state after an act, by whether the condition stands then."""

    stands: str
    over: str


def _always(state: str) -> Next:
    return Next(state, state)


TRANSITIONS: dict[tuple[str, str], Next] = {
    (UNACKNOWLEDGED, RETURN): _always(RETURNED),
    (UNACKNOWLEDGED, ACKNOWLEDGE): _always(ACKNOWLEDGED),
    (UNACKNOWLEDGED, SHELVE): _always(SHELVED),
    (UNACKNOWLEDGED, SUPPRESS): _always(SUPPRESSED),
    (UNACKNOWLEDGED, REMOVE): _always(REMOVED),
    (UNACKNOWLEDGED, CLOSE): _always(NORMAL),
    (ACKNOWLEDGED, RETURN): _always(NORMAL),
    (ACKNOWLEDGED, UNACKNOWLEDGE): _always(UNACKNOWLEDGED),
    (ACKNOWLEDGED, SHELVE): _always(SHELVED),
    (ACKNOWLEDGED, SUPPRESS): _always(SUPPRESSED),
    (ACKNOWLEDGED, REMOVE): _always(REMOVED),
    (ACKNOWLEDGED, CLOSE): _always(NORMAL),
    (RETURNED, RAISE): _always(UNACKNOWLEDGED),
    (RETURNED, ACKNOWLEDGE): _always(NORMAL),
    (RETURNED, SHELVE): _always(SHELVED),
    (RETURNED, REMOVE): _always(REMOVED),
    (RETURNED, CLOSE): _always(NORMAL),
    (SHELVED, RAISE): _always(SHELVED),
    (SHELVED, RETURN): _always(SHELVED),
    (SHELVED, SHELVE): _always(SHELVED),
    (SHELVED, UNSHELVE): Next(ACKNOWLEDGED, NORMAL),
    (SHELVED, EXPIRE): Next(UNACKNOWLEDGED, NORMAL),
    (SHELVED, REMOVE): _always(REMOVED),
    (SHELVED, CLOSE): _always(NORMAL),
    (SUPPRESSED, RETURN): _always(NORMAL),
    (SUPPRESSED, RELEASE): Next(UNACKNOWLEDGED, NORMAL),
    (SUPPRESSED, SHELVE): _always(SHELVED),
    (SUPPRESSED, REMOVE): _always(REMOVED),
    (SUPPRESSED, CLOSE): _always(NORMAL),
    (REMOVED, RAISE): _always(REMOVED),
    (REMOVED, RETURN): _always(REMOVED),
    (REMOVED, RESTORE): Next(UNACKNOWLEDGED, NORMAL),
}
"""(state, act) to the next state. What is not listed is refused to people, and changes nothing
when a rule, time or design does it."""

ACTIVE = frozenset({UNACKNOWLEDGED, ACKNOWLEDGED})
"""The condition stands and people are told."""
UNSEEN = frozenset({UNACKNOWLEDGED, RETURNED})
HELD_BACK = frozenset({SHELVED, SUPPRESSED, REMOVED})
SHOWN = frozenset({UNACKNOWLEDGED, ACKNOWLEDGED, RETURNED})


def next_state(state: str, act: str, stands: bool) -> str | None:
    """Where an act leads; None where the table has nothing.

    Args:
        state: the alarm's.
        act: one of `ACTS`.
        stands: whether the condition stands after the act.
    """
    found = TRANSITIONS.get((state, act))
    return None if found is None else (found.stands if stands else found.over)


def refusal(doc: Json, act: str) -> GemelError:
    """Why a person's act is not in the table, and what can be done instead."""
    name, state = f"alarm '{doc['id']}'", doc["state"]
    if state == NORMAL:
        return Conflict(
            f"{name} is over since {doc['cleared']}",
            hint="comment on it instead",
            code="AlarmIsOver",
        )
    if act == ACKNOWLEDGE and state == ACKNOWLEDGED:
        return Conflict(
            f"{name} was acknowledged by {doc['acknowledgedBy']} at {doc['acknowledged']}",
            hint="comment on it instead",
            code="AlreadyAcknowledged",
        )
    possible = [one for one in ACTS if one in OF_PEOPLE and (state, one) in TRANSITIONS]
    return Conflict(
        f"{name} is {_in_words(doc)}: '{act}' is not possible",
        hint="possible: " + ", ".join(possible),
        code="AlarmStateInvalid",
    )


def _in_words(doc: Json) -> str:
    """The state with who and how long, where a person did it."""
    if doc["state"] == SHELVED and doc.get("shelved"):
        found = doc["shelved"]
        return f"shelved by {found['by']} until {found['until']}"
    if doc["state"] == REMOVED and doc.get("outOfService"):
        found = doc["outOfService"]
        return f"out of service since {found['since']} by {found['by']}"
    return str(doc["state"])
