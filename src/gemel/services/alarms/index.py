"""All alarms that are not over, and the latest of those that are, found by id, twin and rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from gemel.core.clock import from_iso
from gemel.core.document import Document, Edit, Json
from gemel.core.errors import InvalidInput, NotFound
from gemel.services.alarms.alarm import completed
from gemel.services.alarms.states import (
    ACTIVE,
    HELD_BACK,
    NORMAL,
    REMOVED,
    RETURNED,
    SHELVED,
    SHOWN,
    SUPPRESSED,
    UNACKNOWLEDGED,
    UNSEEN,
)

Pair = tuple[str, str]
"""(rule, twin)."""
LISTS: dict[str, frozenset[str]] = {
    "active": SHOWN,
    "shelved": frozenset({SHELVED}),
    "suppressed": frozenset({SUPPRESSED}),
    "out-of-service": frozenset({REMOVED}),
    "held-back": HELD_BACK,
    "open": SHOWN | HELD_BACK,
    "all": frozenset(),
}
"""What can be listed, with the states that count; all are those that are over too."""
COUNTED = {SHELVED: "shelved", SUPPRESSED: "suppressed", REMOVED: "outOfService"}


class Place(NamedTuple):
    """Where an alarm stands in a sorted list, whatever joins or leaves the list meanwhile."""

    urgency: tuple[int, ...]
    raised: str
    id: str

    def is_behind(self, other: Place) -> bool:
        if self.urgency != other.urgency:
            return self.urgency > other.urgency
        return self[1:] < other[1:]


def place_of(doc: Json, state: str) -> Place:
    """The place in the list of a state, as `AlarmIndex.find` sorts it."""
    return Place(() if state == "all" else _urgency(doc), *_newest(doc))


def nothing_stored(_key: str) -> Json | None:
    return None


class Tally:
    """How many alarms there are, by what they need of people."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(
            ("1", "2", "3", "4", "unacknowledged", "shelved", "suppressed", "outOfService"), 0
        )
        self.returned = dict.fromkeys(("1", "2", "3", "4"), 0)

    def count(self, doc: Json, step: int) -> None:
        """Takes an alarm in (1) or out (-1)."""
        state = doc["state"]
        if state in ACTIVE:
            self.counts[str(doc["priority"])] += step
        if state == RETURNED:
            self.returned[str(doc["priority"])] += step
        if state in UNSEEN:
            self.counts["unacknowledged"] += step
        if state in COUNTED:
            self.counts[COUNTED[state]] += step


class AlarmIndex:
    """Alarms as of the last edit that was applied.

    Args:
        stored: reads an alarm's document that is no longer kept here.
        keep: how many alarms that are over stay in memory.
    """

    def __init__(
        self, stored: Callable[[str], Json | None] = nothing_stored, keep: int = 10_000
    ) -> None:
        self._stored = stored
        self._keep = keep
        self._live: dict[str, Json] = {}
        self._over: dict[str, Json] = {}
        self._by_pair: dict[Pair, dict[str, Json]] = {}
        self._latest: dict[Pair, int] = {}
        self._recent: dict[Pair, list[str]] = {}
        self._by_twin: dict[str, dict[str, Json]] = {}
        self._by_rule: dict[str, dict[str, Json]] = {}
        self._shelved: dict[str, int] = {}
        """By id, when the shelf ends, in ns."""
        self._tally = Tally()

    def load(self, documents: Iterable[Document]) -> None:
        """Takes over what was stored; call once, before anything else."""
        for document in sorted(documents, key=lambda d: d.key):
            self._set(document.key, completed(document.doc))

    # -- looking ------------------------------------------------------------------------------

    def get(self, key: str) -> Json:
        """One alarm.

        Raises:
            NotFound: there is no such alarm.
        """
        found = self._live.get(key) or self._over.get(key) or self._stored(key)
        if found is None:
            raise NotFound(f"there is no alarm '{key}'", hint="GET /alarms lists them")
        return completed(found)

    def find_live(self, key: str) -> Json | None:
        """An alarm that is not over."""
        return self._live.get(key)

    def live(self) -> list[Json]:
        """All that are not over: active ones, returned ones nobody has seen, those held back."""
        return list(self._live.values())

    def active(self) -> list[Json]:
        return [doc for doc in self._live.values() if doc["isActive"]]

    def recently_over(self) -> list[Json]:
        return list(self._over.values())

    def raised(self, rule: str) -> dict[str, int]:
        """Twin to time of a rule's alarms that stand: what `RuleEngine.assume_active` takes."""
        return {
            doc["twin"]: from_iso(doc["lastRaised"])
            for doc in self._by_rule.get(rule, {}).values()
            if doc["stands"]
        }

    def find(
        self, *, state: str = "active", twin: str | None = None, limit: int = 1_000
    ) -> list[Json]:
        """Alarms to list: the most urgent first; `all` the newest first.

        Args:
            state: one of `LISTS`.
            twin: only of this twin.
            limit: at most so many.
        """
        if state not in LISTS:
            raise InvalidInput(f"no alarms are '{state}'", hint="state is " + ", ".join(LISTS))
        pool: Iterable[Json]
        pool = self.of_twin(twin) if twin is not None else self._live.values()
        if state != "all":
            found = [doc for doc in pool if doc["state"] in LISTS[state]]
            found.sort(key=_newest, reverse=True)
            found.sort(key=_urgency)
            return found[:limit]
        over = [d for d in self._over.values() if twin is None or d["twin"] == twin]
        return sorted([*pool, *over], key=_newest, reverse=True)[:limit]

    def counts(self) -> dict[str, int]:
        """Active alarms by priority, those that wait for somebody, and those held back."""
        return dict(self._tally.counts)

    def returned(self) -> dict[str, int]:
        """By priority, those whose condition is over and that nobody has seen."""
        return dict(self._tally.returned)

    def tally(self, is_seen: Callable[[str], bool]) -> Tally:
        """`counts` and `returned` of some twins alone.

        Args:
            is_seen: whether a twin's alarms count.

        Cost: one look at each alarm that is not over.
        """
        found = Tally()
        for twin, docs in self._by_twin.items():
            if is_seen(twin):
                for doc in docs.values():
                    found.count(doc, 1)
        return found

    def of_twin(self, twin: str) -> list[Json]:
        """A twin's alarms that are not over."""
        return list(self._by_twin.get(twin, {}).values())

    def of_rule(self, rule: str) -> list[Json]:
        """A rule's alarms that are not over."""
        return list(self._by_rule.get(rule, {}).values())

    def highest(self, twin: str) -> int | None:
        """The most urgent priority among a twin's active alarms."""
        found = self._by_twin.get(twin)
        if not found:
            return None
        return min((d["priority"] for d in found.values() if d["isActive"]), default=None)

    def abnormal(self) -> set[str]:
        """Twins with an active alarm."""
        return {doc["twin"] for doc in self._live.values() if doc["isActive"]}

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
            self._tally.count(old, -1)
        pair = (doc["rule"], doc["twin"])
        latest, known = from_iso(doc["latest"]), self._latest.get(pair, 0)
        is_taken_back = old is not None and from_iso(old["latest"]) == known
        if latest >= known or is_taken_back:
            self._latest[pair] = latest
            self._recent[pair] = doc["recent"]
        self._shelved.pop(key, None)
        if doc["state"] == NORMAL:
            self._close(key, pair, doc)
            return
        self._live[key] = doc
        if doc["shelved"]:
            self._shelved[key] = from_iso(doc["shelved"]["until"])
        self._by_pair.setdefault(pair, {})[key] = doc
        self._by_twin.setdefault(doc["twin"], {})[key] = doc
        self._by_rule.setdefault(doc["rule"], {})[key] = doc
        self._tally.count(doc, 1)

    def _close(self, key: str, pair: Pair, doc: Json) -> None:
        self._leave(key, pair)
        self._over.pop(key, None)
        self._over[key] = doc
        while len(self._over) > self._keep:
            del self._over[next(iter(self._over))]

    def _forget(self, key: str) -> None:
        self._over.pop(key, None)
        self._shelved.pop(key, None)
        doc = self._live.pop(key, None)
        if doc is None:
            return
        self._tally.count(doc, -1)
        self._leave(key, (doc["rule"], doc["twin"]))

    def _leave(self, key: str, pair: Pair) -> None:
        _drop(self._by_pair, pair, key)
        _drop(self._by_rule, pair[0], key)
        _drop(self._by_twin, pair[1], key)

    def _current(self, pair: Pair) -> Json | None:
        """The alarm of a rule and a twin that what the rule does next is about."""
        found = self._by_pair.get(pair)
        return current(found.values()) if found else None


def current(docs: Iterable[Json]) -> Json | None:
    """Of the live alarms of one rule and twin: one that is put aside, one that stands, the newest.

    A function of the alarms alone, so that a restart chooses the same.
    """
    live = [doc for doc in docs if doc["state"] != NORMAL]
    return max(
        live,
        key=lambda doc: (doc["state"] in (SHELVED, REMOVED), doc["stands"], doc["id"]),
        default=None,
    )


Key = TypeVar("Key")


def _drop(index: dict[Key, dict[str, Json]], name: Key, key: str) -> None:
    mine = index.get(name)
    if mine is not None:
        mine.pop(key, None)
        if not mine:
            del index[name]


def _newest(doc: Json) -> tuple[str, str]:
    return (doc["lastRaised"][:19], doc["id"])


def _urgency(doc: Json) -> tuple[int, int, int]:
    return (not doc["isActive"], doc["priority"], doc["state"] != UNACKNOWLEDGED)
