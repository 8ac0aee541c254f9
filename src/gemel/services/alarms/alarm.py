"""An alarm as a document: how it begins, what changes in it, what its identity is made of."""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import Any

import orjson

from gemel.core import units
from gemel.core.clock import SECOND, from_iso, to_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import InvalidInput
from gemel.services.alarms.states import ACTIVE, NORMAL, REMOVED, SHELVED, SUPPRESSED
from gemel.services.rules.rule import Rule
from gemel.services.rules.transition import Transition

LONGEST_COMMENT = 2_000
CHATTER_COUNT = 3
CHATTER_NS = 60 * SECOND
NEVER = to_iso(0)


def alarm_id(rule: str, version: int, twin: str, raised: int) -> str:
    """The identity of an alarm, sortable by the time it was raised; the same on every replay."""
    digest = blake2b(f"{rule}\n{version}\n{twin}\n{raised}".encode(), digest_size=5)
    return f"a-{raised // 1_000_000:011x}-{digest.hexdigest()}"


def is_just_raised(edit: Edit) -> bool:
    """Whether an edit leaves an alarm that people are told of and that was raised in it.

    What was raised and has cleared since, as in a backfill, needs no action any more.
    """
    doc = edit.doc
    return doc is not None and doc["isActive"] and doc["latest"] == doc["lastRaised"]


def first(t: Transition, rule: Rule, name: str, recent: list[str]) -> Json:
    """The alarm that a transition raises, unacknowledged."""
    raised = to_iso(t.time)
    made = _blank(rule, t.twin, name, t.time)
    return {
        **made,
        "state": "unacknowledged",
        "isActive": True,
        "stands": True,
        "value": _value(t),
        "latest": raised,
        "occurrences": 1,
        **_chatter(recent, raised),
        **(t.details or {}),
    }


def removed(rule: Rule, twin: str, name: str, now: int, latest: str) -> Json:
    """An alarm that is taken out of service before it was ever raised."""
    return {**_blank(rule, twin, name, now), "state": REMOVED, "latest": latest}


def _blank(rule: Rule, twin: str, name: str, time: int) -> Json:
    subject, design = rule.kernel.subject, rule.design
    at = to_iso(time)
    return {
        "id": alarm_id(rule.id, rule.version, twin, time),
        "rule": rule.id,
        "ruleVersion": rule.version,
        "twin": twin,
        "twinName": name,
        "priority": rule.priority,
        "title": rule.title,
        "state": NORMAL,
        "isActive": False,
        "stands": False,
        "condition": rule.when,
        "property": subject.path,
        "value": None,
        "unit": units.symbol(subject.unit) if subject.unit else "",
        "limit": subject.limit,
        "class": design.alarm_class,
        "cause": design.cause,
        "consequence": design.consequence,
        "response": design.response,
        "raised": at,
        "lastRaised": at,
        "latest": NEVER,
        "recent": [],
        "chattered": None,
        "cleared": None,
        "acknowledged": None,
        "acknowledgedBy": None,
        "shelved": None,
        "suppressedBy": None,
        "outOfService": None,
        "group": None,
        "details": {},
        "occurrences": 0,
        "comments": [],
    }


LATER: Json = {
    "class": "",
    "cause": "",
    "consequence": "",
    "response": "",
    "recent": [],
    "chattered": None,
    "shelved": None,
    "suppressedBy": None,
    "outOfService": None,
    "group": None,
    "details": {},
}
"""What alarms lack that were stored by versions before these fields."""


def completed(doc: Json) -> Json:
    """A stored alarm with all fields of today."""
    if "details" in doc:
        return doc
    return {**LATER, "stands": doc["isActive"], **doc}


def raised_again(doc: Json, t: Transition) -> Json:
    """What a further raise tells of an alarm, whatever its state."""
    at = to_iso(t.time)
    return {
        "stands": True,
        "cleared": None,
        "lastRaised": at,
        "latest": at,
        "value": _value(t),
        "occurrences": doc["occurrences"] + 1,
        **_chatter(doc["recent"], at),
    }


def returned(doc: Json, t: Transition) -> Json:
    """What a clear tells of an alarm, whatever its state."""
    at = to_iso(t.time)
    return {"stands": False, "cleared": at, "latest": at, **_chatter(doc["recent"], at)}


def before_raised(doc: Json) -> str:
    """The moment before what stands was raised: all up to then has been taken in."""
    return to_iso(max(0, from_iso(doc["lastRaised"]) - 1))


def changed(doc: Json, state: str, **fields: Any) -> Json:
    """An alarm in another state: what holds only in the state before goes."""
    gone: Json = {}
    if state != SHELVED:
        gone["shelved"] = None
    if state != SUPPRESSED:
        gone["suppressedBy"] = None
    if state != REMOVED:
        gone["outOfService"] = None
    return {**doc, **gone, "state": state, "isActive": state in ACTIVE, **fields}


def commented(doc: Json, who: str, text: str, at: str) -> list[Json]:
    """The comments with one more, if it says something."""
    comments: list[Json] = doc["comments"]
    text = text.strip()
    if not text:
        return comments
    return [*comments, {"time": at, "who": who, "text": _bounded(text, "comment")}]


def reason_of(text: str, act: str) -> str:
    """A reason that must be given.

    Raises:
        InvalidInput: it says nothing, or too much.
    """
    text = text.strip()
    if not text:
        raise InvalidInput(f"{act} an alarm needs a reason", hint='send {"reason": "..."}')
    return _bounded(text, "reason")


def _bounded(text: str, what: str) -> str:
    if len(text) > LONGEST_COMMENT:
        raise InvalidInput(
            f"the {what} has {len(text)} characters", hint=f"at most {LONGEST_COMMENT}"
        )
    return text


def _chatter(recent: list[str], at: str) -> Json:
    """The last transitions, and whether they came so fast that the alarm chatters."""
    kept = [*recent, at][-CHATTER_COUNT:]
    found: Json = {"recent": kept}
    if len(kept) == CHATTER_COUNT and from_iso(at) - from_iso(kept[0]) <= CHATTER_NS:
        found["chattered"] = at
    return found


def _value(t: Transition) -> Any:
    """The subject's value as JSON has it."""
    if t.text is not None:
        return orjson.loads(t.text)
    return t.value if math.isfinite(t.value) else None
