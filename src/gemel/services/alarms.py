"""Alarms as documents: raised and cleared by rules, acknowledged and commented by people.

Pure: every method that changes something returns the `Edit`s to commit; `apply` takes committed
edits in. Between planning and applying nothing else may be planned. docs/reference/alarms.md
describes the life of an alarm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from gemel.core import units
from gemel.core.clock import from_iso, to_iso
from gemel.core.document import Document, Edit, Json
from gemel.core.errors import Conflict, GemelError, InvalidInput, NotFound
from gemel.services.rules.engine import Transition
from gemel.services.rules.rule import Rule

UNACKNOWLEDGED, ACKNOWLEDGED, RETURNED, NORMAL = STATES = (
    "unacknowledged",
    "acknowledged",
    "returned",
    "normal",
)
ACTS = ("raise", "return", "acknowledge", "close")

TRANSITIONS: dict[tuple[str, str], str] = {
    (UNACKNOWLEDGED, "return"): RETURNED,
    (UNACKNOWLEDGED, "acknowledge"): ACKNOWLEDGED,
    (UNACKNOWLEDGED, "close"): NORMAL,
    (ACKNOWLEDGED, "return"): NORMAL,
    (ACKNOWLEDGED, "close"): NORMAL,
    (RETURNED, "raise"): UNACKNOWLEDGED,
    (RETURNED, "acknowledge"): NORMAL,
    (RETURNED, "close"): NORMAL,
}
"""(state, act) to the next state. What is not listed is refused; a rule's act changes nothing."""

ACTIVE = frozenset({UNACKNOWLEDGED, ACKNOWLEDGED})
UNSEEN = frozenset({UNACKNOWLEDGED, RETURNED})
LONGEST_COMMENT = 2_000
RULES = "rules"
"""Who raises and clears."""


def alarm_id(rule: str, version: int, twin: str, raised: int) -> str:
    """The identity of an alarm, sortable by the time it was raised; the same on every replay."""
    digest = blake2b(f"{rule}\n{version}\n{twin}\n{raised}".encode(), digest_size=5)
    return f"a-{raised // 1_000_000:011x}-{digest.hexdigest()}"


def is_just_raised(edit: Edit) -> bool:
    """Whether an edit of `apply_transitions` leaves an alarm standing that was raised in it.

    What was raised and has cleared since, as in a backfill, needs no action any more.
    """
    doc = edit.doc
    return doc is not None and doc["isActive"] and doc["latest"] == doc["lastRaised"]


def _nothing_stored(_key: str) -> Json | None:
    return None


class AlarmBook:
    """All live alarms, and the latest of those that are over.

    Args:
        stored: reads an alarm's document that is no longer kept here.
        keep: how many alarms that are over stay in memory.
    """

    def __init__(
        self, stored: Callable[[str], Json | None] = _nothing_stored, keep: int = 10_000
    ) -> None:
        self._stored = stored
        self._keep = keep
        self._live: dict[str, Json] = {}
        self._over: dict[str, Json] = {}
        self._episode: dict[tuple[str, str], str] = {}
        self._latest: dict[tuple[str, str], int] = {}
        self._by_twin: dict[str, dict[str, Json]] = {}
        self._counts = {"1": 0, "2": 0, "3": 0, "4": 0, "unacknowledged": 0}

    def load(self, documents: Iterable[Document]) -> None:
        """Takes over what was stored; call once, before anything else."""
        for document in sorted(documents, key=lambda d: d.key):
            self._set(document.key, document.doc)

    # -- looking ------------------------------------------------------------------------------

    def get(self, key: str) -> Json:
        """One alarm.

        Raises:
            NotFound: there is no such alarm.
        """
        found = self._live.get(key) or self._over.get(key) or self._stored(key)
        if found is None:
            raise NotFound(f"there is no alarm '{key}'", hint="GET /alarms lists them")
        return found

    def live(self) -> list[Json]:
        """All that are not over: active ones, and returned ones nobody has acknowledged."""
        return list(self._live.values())

    def active(self) -> list[Json]:
        return [doc for doc in self._live.values() if doc["isActive"]]

    def raised(self, rule: str) -> dict[str, int]:
        """Twin to time of a rule's active alarms: what `RuleEngine.assume_active` takes."""
        return {
            doc["twin"]: from_iso(doc["lastRaised"]) for doc in self.active() if doc["rule"] == rule
        }

    def find(
        self, *, state: str = "active", twin: str | None = None, limit: int = 1_000
    ) -> list[Json]:
        """Alarms to list.

        Args:
            state: `active` are those not over, most urgent first; `all` every one, newest first.
            twin: only of this twin.
            limit: at most so many.
        """
        if state not in ("active", "all"):
            raise InvalidInput(f"no alarms are '{state}'", hint="state is 'active' or 'all'")
        pool: Iterable[Json]
        pool = self.of_twin(twin) if twin is not None else self._live.values()
        if state == "active":
            found = sorted(pool, key=_newest, reverse=True)
            found.sort(key=_urgency)
            return found[:limit]
        over = [d for d in self._over.values() if twin is None or d["twin"] == twin]
        return sorted([*pool, *over], key=_newest, reverse=True)[:limit]

    def counts(self) -> dict[str, int]:
        """Active alarms by priority, and all that wait for somebody to acknowledge them."""
        return dict(self._counts)

    def of_twin(self, twin: str) -> list[Json]:
        """A twin's alarms that are not over."""
        return list(self._by_twin.get(twin, {}).values())

    def highest(self, twin: str) -> int | None:
        """The most urgent priority among a twin's active alarms."""
        found = self._by_twin.get(twin)
        if not found:
            return None
        return min((d["priority"] for d in found.values() if d["isActive"]), default=None)

    def abnormal(self) -> set[str]:
        """Twins with an active alarm."""
        return {doc["twin"] for doc in self._live.values() if doc["isActive"]}

    # -- what rules do ------------------------------------------------------------------------

    def apply_transitions(
        self,
        transitions: Sequence[Transition],
        rules: Mapping[str, Rule],
        titles: Mapping[str, str],
        now: int,
    ) -> list[Edit]:
        """The edits that follow from what rules did.

        Transitions that were taken in before (a replay after a crash) change nothing.

        Args:
            transitions: in the order in which the engine returned them.
            rules: by id.
            titles: display names by twin.
            now: when this is done; transitions carry their own time.
        """
        planned: dict[str, Json] = {}
        latest = dict[tuple[str, str], int]()
        episode = dict[tuple[str, str], str]()
        for t in transitions:
            pair = (t.rule_id, t.twin)
            if t.time <= latest.get(pair, self._latest.get(pair, -1)):
                continue
            key = episode.get(pair, self._episode.get(pair, ""))
            doc = planned.get(key) or self._live.get(key)
            if doc is not None and doc["state"] == NORMAL:
                doc = None
            changed = self._follow(doc, t, rules.get(t.rule_id), titles.get(t.twin, t.twin))
            if changed is None:
                continue
            latest[pair] = t.time
            episode[pair] = changed["id"]
            planned[changed["id"]] = changed
        return [
            Edit("alarm", key, doc, now, RULES, _why_of_rule(doc)) for key, doc in planned.items()
        ]

    def _follow(self, doc: Json | None, t: Transition, rule: Rule | None, name: str) -> Json | None:
        if t.kind == "clear":
            if doc is None or (doc["state"], "return") not in TRANSITIONS:
                return None
            state = TRANSITIONS[doc["state"], "return"]
            return _changed(doc, state, cleared=to_iso(t.time), latest=to_iso(t.time))
        if rule is None:
            return None
        if doc is None:
            return _first(t, rule, name)
        if (doc["state"], "raise") not in TRANSITIONS:
            return None
        return _changed(
            doc,
            TRANSITIONS[doc["state"], "raise"],
            cleared=None,
            lastRaised=to_iso(t.time),
            latest=to_iso(t.time),
            value=_value(t),
            occurrences=doc["occurrences"] + 1,
        )

    # -- what people do -----------------------------------------------------------------------

    def acknowledge(self, key: str, who: str, comment: str, now: int) -> list[Edit]:
        """Somebody has seen the alarm.

        Raises:
            NotFound: there is no such alarm.
            Conflict: it was acknowledged before, or is over; says by whom and when.
        """
        doc = self.get(key)
        state = self._next(doc, "acknowledge")
        at = to_iso(now)
        changed = _changed(
            doc,
            state,
            acknowledged=at,
            acknowledgedBy=who,
            comments=_commented(doc, who, comment, at),
        )
        return [Edit("alarm", key, changed, now, who, "acknowledged")]

    def comment(self, key: str, who: str, text: str, now: int) -> list[Edit]:
        """Adds a comment; over or not."""
        if not text.strip():
            raise InvalidInput("a comment needs words", hint='send {"comment": "..."}')
        doc = self.get(key)
        comments = _commented(doc, who, text, to_iso(now))
        return [Edit("alarm", key, {**doc, "comments": comments}, now, who, "commented")]

    def clear(self, key: str, who: str, comment: str, now: int) -> list[Edit]:
        """Closes an alarm by hand; its rule raises again only after it has returned to normal."""
        if not comment.strip():
            raise InvalidInput(
                "closing an alarm by hand needs a reason", hint='send {"comment": "..."}'
            )
        doc = self.get(key)
        return [self._closed(doc, who, comment, now, self._next(doc, "close"))]

    def close(
        self, why: str, who: str, now: int, *, rule: str | None = None, twin: str | None = None
    ) -> list[Edit]:
        """Closes all live alarms of a rule or a twin that is changed or deleted."""
        if rule is None and twin is None:
            raise InvalidInput("whose alarms?", hint="name a rule, a twin, or both")
        return [
            self._closed(doc, who, why, now, NORMAL)
            for doc in self._live.values()
            if rule in (None, doc["rule"]) and twin in (None, doc["twin"])
        ]

    def _closed(self, doc: Json, who: str, comment: str, now: int, state: str) -> Edit:
        at = to_iso(now)
        changed = _changed(
            doc,
            state,
            cleared=doc["cleared"] or at,
            comments=_commented(doc, who, comment, at),
        )
        return Edit("alarm", doc["id"], changed, now, who, "closed by hand")

    def _next(self, doc: Json, act: str) -> str:
        state = TRANSITIONS.get((doc["state"], act))
        if state is not None:
            return state
        raise _refusal(doc)

    # -- taking in ----------------------------------------------------------------------------

    def apply(self, edits: Iterable[Edit]) -> None:
        """Takes committed edits in."""
        for edit in edits:
            if edit.kind != "alarm":
                continue
            if edit.doc is None:
                self._forget(edit.key)
            else:
                self._set(edit.key, edit.doc)

    def _set(self, key: str, doc: Json) -> None:
        old = self._live.pop(key, None)
        if old is not None:
            self._count(old, -1)
        pair = (doc["rule"], doc["twin"])
        latest = from_iso(doc["latest"])
        self._latest[pair] = max(latest, self._latest.get(pair, latest))
        if doc["state"] == NORMAL:
            self._close(key, pair, doc)
            return
        self._live[key] = doc
        self._episode[pair] = key
        self._by_twin.setdefault(doc["twin"], {})[key] = doc
        self._count(doc, 1)

    def _close(self, key: str, pair: tuple[str, str], doc: Json) -> None:
        if self._episode.get(pair) == key:
            del self._episode[pair]
        self._leave_twin(doc["twin"], key)
        self._over.pop(key, None)
        self._over[key] = doc
        while len(self._over) > self._keep:
            del self._over[next(iter(self._over))]

    def _forget(self, key: str) -> None:
        self._over.pop(key, None)
        doc = self._live.pop(key, None)
        if doc is None:
            return
        self._count(doc, -1)
        self._leave_twin(doc["twin"], key)
        if self._episode.get((doc["rule"], doc["twin"])) == key:
            del self._episode[doc["rule"], doc["twin"]]

    def _leave_twin(self, twin: str, key: str) -> None:
        mine = self._by_twin.get(twin)
        if mine is not None:
            mine.pop(key, None)
            if not mine:
                del self._by_twin[twin]

    def _count(self, doc: Json, step: int) -> None:
        if doc["state"] in ACTIVE:
            self._counts[str(doc["priority"])] += step
        if doc["state"] in UNSEEN:
            self._counts["unacknowledged"] += step


def _first(t: Transition, rule: Rule, name: str) -> Json:
    subject = rule.kernel.subject
    raised = to_iso(t.time)
    return {
        "id": alarm_id(t.rule_id, t.version, t.twin, t.time),
        "rule": t.rule_id,
        "ruleVersion": t.version,
        "twin": t.twin,
        "twinName": name,
        "priority": rule.priority,
        "title": rule.title,
        "state": UNACKNOWLEDGED,
        "isActive": True,
        "condition": rule.when,
        "property": subject.path,
        "value": _value(t),
        "unit": units.symbol(subject.unit) if subject.unit else "",
        "limit": subject.limit,
        "raised": raised,
        "lastRaised": raised,
        "latest": raised,
        "cleared": None,
        "acknowledged": None,
        "acknowledgedBy": None,
        "occurrences": 1,
        "comments": [],
    }


def _value(t: Transition) -> Any:
    """The subject's value as JSON has it."""
    if t.text is not None:
        return orjson.loads(t.text)
    return t.value if math.isfinite(t.value) else None


def _changed(doc: Json, state: str, **fields: Any) -> Json:
    return {**doc, "state": state, "isActive": state in ACTIVE, **fields}


def _commented(doc: Json, who: str, text: str, at: str) -> list[Json]:
    comments: list[Json] = doc["comments"]
    text = text.strip()
    if not text:
        return comments
    if len(text) > LONGEST_COMMENT:
        raise InvalidInput(
            f"the comment has {len(text)} characters", hint=f"at most {LONGEST_COMMENT}"
        )
    return [*comments, {"time": at, "who": who, "text": text}]


def _refusal(doc: Json) -> GemelError:
    if doc["state"] == NORMAL:
        return Conflict(
            f"alarm '{doc['id']}' is over since {doc['cleared']}",
            hint="comment on it instead",
            code="AlarmIsOver",
        )
    return Conflict(
        f"alarm '{doc['id']}' was acknowledged by {doc['acknowledgedBy']} at {doc['acknowledged']}",
        hint="comment on it instead",
        code="AlreadyAcknowledged",
    )


def _why_of_rule(doc: Json) -> str:
    if not doc["isActive"]:
        return "back to normal"
    return "raised" if doc["occurrences"] == 1 else f"raised for the {doc['occurrences']}. time"


def _newest(doc: Json) -> tuple[str, str]:
    return (doc["lastRaised"][:19], doc["id"])


def _urgency(doc: Json) -> tuple[bool, int, bool]:
    return (not doc["isActive"], doc["priority"], doc["state"] != UNACKNOWLEDGED)
