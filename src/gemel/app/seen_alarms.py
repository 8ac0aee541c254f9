"""Alarms as policies let somebody see them: without what they tell of twins that are hidden.

Who may read all of a twin sees its alarms. An alarm may tell of other twins too: of the one that
holds it back, and, where a service raised it for many twins, of those.
"""

from __future__ import annotations

from dataclasses import replace

from gemel.app.policies import Sight
from gemel.core.document import Json
from gemel.core.policy import READ
from gemel.services.alarms.book import SUPPRESSED_BY
from gemel.services.alarms.record import Step


def alarm_shown(sight: Sight, doc: Json) -> Json:
    """What may be seen of an alarm of a twin all of which may be read."""
    by, details = doc.get("suppressedBy"), doc.get("details") or {}
    if by and not _is_told(sight, by):
        doc = {**doc, "suppressedBy": {"since": by["since"]}}
    if "signals" in details:
        doc = {**doc, "details": _details_shown(sight, details)}
    return doc


def step_shown(sight: Sight, step: Step) -> Step:
    """A step of an alarm's history, whose words may name what holds the alarm back."""
    doc = alarm_shown(sight, step.doc)
    is_named = step.what.startswith(SUPPRESSED_BY) and doc is not step.doc
    return replace(step, doc=doc, what="suppressed" if is_named else step.what)


def _is_told(sight: Sight, by: Json) -> bool:
    if "property" in by:
        return sight.allows(READ, by["twin"], by["property"])
    return sight.covers(READ, by["twin"])


def _details_shown(sight: Sight, details: Json) -> Json:
    """Of rows about several twins those that may be read; `why` has the words of the first ones."""
    rows, why = details["signals"], details.get("why")
    is_seen = [
        not isinstance(row, dict) or "twin" not in row or sight.covers(READ, str(row["twin"]))
        for row in rows
    ]
    if all(is_seen):
        return details
    found = {**details, "signals": [row for row, seen in zip(rows, is_seen, strict=True) if seen]}
    if why is not None:
        found["why"] = [word for word, seen in zip(why, is_seen, strict=False) if seen]
    return found
