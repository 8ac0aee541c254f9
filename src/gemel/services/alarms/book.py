"""The book of alarms: what rules, people, time and design do to them becomes edits.

Pure: every method that changes something returns the `Edit`s to commit; `apply` takes committed
edits in. Between planning and applying nothing else may be planned. docs/reference/alarms.md
describes the life of an alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import Conflict, InvalidInput
from gemel.services.alarms import states
from gemel.services.alarms.alarm import (
    before_raised,
    changed,
    commented,
    first,
    raised_again,
    reason_of,
    removed,
    returned,
)
from gemel.services.alarms.index import AlarmIndex, Pair, current, nothing_stored
from gemel.services.alarms.states import NORMAL, RETURNED, SUPPRESSED, next_state, refusal
from gemel.services.alarms.suppression import (
    Alone,
    Surroundings,
    counts_as_standing,
    find_suppressor,
)
from gemel.services.rules.rule import Rule
from gemel.services.rules.transition import Transition

RULES = "rules"
"""Who raises and clears."""
DESIGN = "design"
"""Who suppresses and releases."""
TIME = "time"
"""Who ends a shelf."""
LONGEST_SHELF = 30 * 86_400.0
"""Seconds."""
SUPPRESSED_BY = "suppressed by "
"""Begins the words of a step that names what holds the alarm back."""
SUPPRESSIBLE = frozenset({*states.ACTIVE, SUPPRESSED})


class AlarmBook(AlarmIndex):
    """All alarms and what may be done to them.

    Args:
        stored: reads an alarm's document that is no longer kept here.
        keep: how many alarms that are over stay in memory.
        around: the twins around a twin, for suppression by design.
    """

    def __init__(
        self,
        stored: Callable[[str], Json | None] = nothing_stored,
        keep: int = 10_000,
        around: Surroundings | None = None,
    ) -> None:
        super().__init__(stored, keep)
        self._around: Surroundings = around or Alone()

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
        latest = dict[Pair, int]()
        of_pair = dict[Pair, dict[str, Json]]()
        recent = dict[Pair, list[str]]()
        for t in transitions:
            pair = (t.rule_id, t.twin)
            if t.time <= latest.get(pair, self._latest.get(pair, -1)):
                continue
            doc = current({**self._by_pair.get(pair, {}), **of_pair.get(pair, {})}.values())
            before = recent.get(pair, self._recent.get(pair, []))
            name = titles.get(t.twin, t.twin)
            follows = self._follow(doc, t, rules.get(t.rule_id), name, before)
            if follows is None:
                continue
            latest[pair] = t.time
            of_pair.setdefault(pair, {})[follows["id"]] = follows
            recent[pair] = follows["recent"]
            planned[follows["id"]] = follows
        whose = {doc["id"]: RULES for doc in planned.values()}
        self._hold_back(planned, rules, whose, now)
        return [
            Edit("alarm", key, doc, now, whose.get(key, DESIGN), _why(doc, whose.get(key, DESIGN)))
            for key, doc in planned.items()
        ]

    def _follow(
        self, doc: Json | None, t: Transition, rule: Rule | None, name: str, recent: list[str]
    ) -> Json | None:
        if t.kind == "clear":
            state = None if doc is None else next_state(doc["state"], states.RETURN, False)
            if doc is None or state is None:
                return None
            return changed(doc, state, **returned(doc, t))
        if rule is None:
            return None
        is_each = rule.design.repeats == "each"
        if doc is None or (is_each and doc["state"] == RETURNED):
            return self._begun(first(t, rule, name, recent))
        state = next_state(doc["state"], states.RAISE, True)
        return None if state is None else changed(doc, state, **raised_again(doc, t))

    def _begun(self, doc: Json) -> Json:
        """An alarm that is raised; the same one again if its twin was deleted and is back."""
        over = self._over.get(doc["id"])
        return doc if over is None else {**doc, "comments": over["comments"]}

    # -- what design does ---------------------------------------------------------------------

    def suppression(self, rules: Mapping[str, Rule], now: int) -> list[Edit]:
        """The edits that follow when what holds alarms back has come or gone."""
        planned: dict[str, Json] = {}
        candidates = self._suppressible(rules)
        self._judge(candidates, planned, rules, now)
        return [
            Edit("alarm", key, doc, now, DESIGN, _why(doc, DESIGN)) for key, doc in planned.items()
        ]

    def _hold_back(
        self, planned: dict[str, Json], rules: Mapping[str, Rule], whose: dict[str, str], now: int
    ) -> None:
        """Suppresses and releases among what is planned and, if a suppressor moves, all others."""
        sources = {s.rule for rule in rules.values() for s in rule.design.suppressors}
        if not sources:
            return
        candidates = {k: d for k, d in planned.items() if d["state"] in SUPPRESSIBLE}
        if any(doc["rule"] in sources for doc in planned.values()):
            candidates = {**self._suppressible(rules), **candidates}
        candidates = {k: d for k, d in candidates.items() if d["state"] in SUPPRESSIBLE}
        before = set(planned)
        self._judge(candidates, planned, rules, now)
        for key in set(planned) - before:
            whose[key] = DESIGN

    def _suppressible(self, rules: Mapping[str, Rule]) -> dict[str, Json]:
        return {
            key: doc
            for rule in rules.values()
            if rule.design.suppressors
            for key, doc in self._by_rule.get(rule.id, {}).items()
            if doc["state"] in SUPPRESSIBLE
        }

    def _judge(
        self,
        candidates: Mapping[str, Json],
        planned: dict[str, Json],
        rules: Mapping[str, Rule],
        now: int,
    ) -> None:
        fresh: dict[Pair, Json] = {}
        for doc in planned.values():
            fresh[doc["rule"], doc["twin"]] = doc

        def standing(rule: str, twin: str) -> Json | None:
            found = fresh.get((rule, twin)) or self._current((rule, twin))
            return found if found is not None and counts_as_standing(found) else None

        for key, candidate in candidates.items():
            doc = planned.get(key, candidate)
            rule = rules.get(doc["rule"])
            if rule is None or doc["state"] not in SUPPRESSIBLE:
                continue
            found = find_suppressor(rule.design.suppressors, doc["twin"], standing, self._around)
            act = states.SUPPRESS if found is not None else states.RELEASE
            state = next_state(doc["state"], act, doc["stands"])
            if state is None or state == doc["state"]:
                continue
            by = None if found is None else {**found, "since": to_iso(now)}
            planned[key] = changed(doc, state, suppressedBy=by)

    # -- what time does -----------------------------------------------------------------------

    def is_due(self, now: int) -> bool:
        """Whether a shelf has ended."""
        return any(until <= now for until in self._shelved.values())

    def expire(self, now: int) -> list[Edit]:
        """Ends the shelves whose time is over: what stands is unacknowledged again."""
        edits = []
        for key, until in self._shelved.items():
            if until <= now:
                doc = self._live[key]
                state = next_state(doc["state"], states.EXPIRE, doc["stands"])
                if state is not None:
                    after = changed(doc, state, **_anew(state))
                    edits.append(Edit("alarm", key, after, now, TIME, "the shelf has ended"))
        return edits

    # -- what people do -----------------------------------------------------------------------

    def acknowledge(self, key: str, who: str, comment: str, now: int) -> list[Edit]:
        """Somebody has seen the alarm.

        Raises:
            NotFound: there is no such alarm.
            Conflict: it was acknowledged before, or is over; says by whom and when.
        """
        doc, at = self.get(key), to_iso(now)
        return self._done(
            doc,
            states.ACKNOWLEDGE,
            who,
            comment,
            now,
            "acknowledged",
            acknowledged=at,
            acknowledgedBy=who,
        )

    def unacknowledge(self, key: str, who: str, reason: str, now: int) -> list[Edit]:
        """Takes a wrong acknowledgement back: people are told again."""
        reason = reason_of(reason, "un-acknowledging")
        return self._done(
            self.get(key),
            states.UNACKNOWLEDGE,
            who,
            reason,
            now,
            "not acknowledged any more",
            acknowledged=None,
            acknowledgedBy=None,
        )

    def shelve(self, key: str, who: str, reason: str, seconds: float, now: int) -> list[Edit]:
        """Puts an alarm aside for some time; it says nothing until then, whatever happens.

        Raises:
            InvalidInput: no reason, or no time that can be shelved for.
            Conflict: its state does not allow it.
        """
        reason = reason_of(reason, "shelving")
        if not 1 <= seconds <= LONGEST_SHELF:
            raise InvalidInput(
                f"an alarm cannot be shelved for {seconds:g} s",
                hint=f"from 1 s to {LONGEST_SHELF / 86_400:.0f} days; for longer, take it out of "
                "service",
            )
        until = to_iso(now + round(seconds * SECOND))
        shelf = {"since": to_iso(now), "until": until, "by": who, "reason": reason}
        return self._done(
            self.get(key), states.SHELVE, who, "", now, f"shelved: {reason}", shelved=shelf
        )

    def unshelve(self, key: str, who: str, comment: str, now: int) -> list[Edit]:
        """Takes an alarm off the shelf: who does so has seen it."""
        doc = self.get(key)
        seen: Json = {}
        if doc["stands"]:
            seen = {"acknowledged": to_iso(now), "acknowledgedBy": who}
        return self._done(doc, states.UNSHELVE, who, comment, now, "unshelved", **seen)

    def remove(self, key: str, who: str, reason: str, now: int) -> list[Edit]:
        """Takes an alarm out of service, without end, until somebody returns it."""
        reason = reason_of(reason, "taking out of service")
        out = {"since": to_iso(now), "by": who, "reason": reason}
        return self._done(
            self.get(key),
            states.REMOVE,
            who,
            "",
            now,
            f"out of service: {reason}",
            outOfService=out,
        )

    def remove_unraised(
        self, rule: Rule, twin: str, name: str, who: str, reason: str, now: int
    ) -> list[Edit]:
        """As `remove`, for an alarm that need not have been raised.

        Raises:
            Conflict: it is out of service already.
        """
        pair = (rule.id, twin)
        existing = self._current(pair)
        if existing is not None:
            return self.remove(existing["id"], who, reason, now)
        reason = reason_of(reason, "taking out of service")
        latest = to_iso(self._latest.get(pair, 0))
        doc = removed(rule, twin, name, now, latest)
        if doc["id"] in self._over:
            raise Conflict(f"alarm '{doc['id']}' has just ended", hint="try again")
        doc["outOfService"] = {"since": to_iso(now), "by": who, "reason": reason}
        return [Edit("alarm", doc["id"], doc, now, who, f"out of service: {reason}")]

    def restore(self, key: str, who: str, comment: str, now: int) -> list[Edit]:
        """Returns an alarm to service: what stands is unacknowledged."""
        doc = self.get(key)
        state = next_state(doc["state"], states.RESTORE, doc["stands"])
        return self._done(
            doc, states.RESTORE, who, comment, now, "returned to service", **_anew(state)
        )

    def comment(self, key: str, who: str, text: str, now: int) -> list[Edit]:
        """Adds a comment; over or not."""
        if not text.strip():
            raise InvalidInput("a comment needs words", hint='send {"comment": "..."}')
        doc = self.get(key)
        comments = commented(doc, who, text, to_iso(now))
        return [Edit("alarm", key, {**doc, "comments": comments}, now, who, "commented")]

    def clear(self, key: str, who: str, comment: str, now: int) -> list[Edit]:
        """Closes an alarm by hand; its rule raises again only after it has returned to normal."""
        if not comment.strip():
            raise InvalidInput(
                "closing an alarm by hand needs a reason", hint='send {"comment": "..."}'
            )
        doc = self.get(key)
        ended = doc["cleared"] or to_iso(now)
        return self._done(
            doc, states.CLOSE, who, comment, now, "closed by hand", cleared=ended, stands=False
        )

    def close(
        self, why: str, who: str, now: int, *, rule: str | None = None, twin: str | None = None
    ) -> list[Edit]:
        """Closes all live alarms of a rule or a twin that is changed or deleted.

        What stood may be raised again, by the same reading: for a twin of the same id that is made
        while its last value is beyond the limit, or for what the rule says now.
        """
        if rule is None and twin is None:
            raise InvalidInput("whose alarms?", hint="name a rule, a twin, or both")
        at = to_iso(now)
        edits = []
        for doc in self.of_rule(rule) if rule is not None else self.of_twin(twin or ""):
            if twin in (None, doc["twin"]):
                comments = commented(doc, who, why, at)
                after = changed(
                    doc,
                    NORMAL,
                    cleared=doc["cleared"] or at,
                    stands=False,
                    latest=before_raised(doc) if doc["stands"] else doc["latest"],
                    comments=comments,
                )
                edits.append(Edit("alarm", doc["id"], after, now, who, f"closed: {why}"))
        return edits

    def _done(
        self, doc: Json, act: str, who: str, comment: str, now: int, why: str, **fields: Any
    ) -> list[Edit]:
        """One act of a person, if the table has it."""
        state = next_state(doc["state"], act, doc["stands"])
        if state is None:
            raise refusal(doc, act)
        comments = commented(doc, who, comment, to_iso(now))
        after = changed(doc, state, comments=comments, **fields)
        if state == NORMAL and after["cleared"] is None:
            after["cleared"] = to_iso(now)
        return [Edit("alarm", doc["id"], after, now, who, why)]


def _anew(state: str | None) -> Json:
    """An alarm that people are told of anew has not been acknowledged."""
    if state != states.UNACKNOWLEDGED:
        return {}
    return {"acknowledged": None, "acknowledgedBy": None}


def _why(doc: Json, who: str) -> str:
    if doc["state"] == SUPPRESSED:
        by = doc["suppressedBy"]
        what = by.get("rule") or f"{by['property']} is {by['is']}"
        return f"{SUPPRESSED_BY}{what} of {by['twin']}"
    if who == DESIGN:
        return "released" if doc["stands"] else "released, back to normal"
    if not doc["stands"]:
        return "back to normal"
    return "raised" if doc["occurrences"] == 1 else f"raised for the {doc['occurrences']}. time"
