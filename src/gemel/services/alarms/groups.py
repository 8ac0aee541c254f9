"""Alarms of one cause: those within a window on twins that one twin upstream reaches.

A failed feeder explains the alarms below it. Each new alarm joins the group whose cause lies
upstream of it, or begins one with alarms upstream or downstream of it; an alarm that comes later
from further upstream becomes the cause of what is there. Where the common cause has no alarm
itself, some alarms (`Philosophy.least`) below the nearest twin they share make a group of it.

Pure: `assign` returns edits; `apply` takes committed ones in. A group is a document of kind
`alarmgroup`; its members are the alarms that name it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from gemel.core.clock import SECOND, from_iso, to_iso
from gemel.core.document import Document, Edit, Json
from gemel.core.errors import NotFound
from gemel.services.alarms.philosophy import DEFAULT, Philosophy
from gemel.services.alarms.states import RETURNED, SHOWN, UNACKNOWLEDGED
from gemel.services.alarms.suppression import Surroundings

KIND = "alarmgroup"
DESIGN = "design"
KEEP = 5_000
"""Groups in memory; older ones are found in the store."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A raised alarm that is in no group."""

    id: str
    twin: str
    time: int
    priority: int


@dataclass(frozen=True, slots=True)
class Group:
    """Alarms of one cause."""

    id: str
    cause: str
    """The twin furthest upstream."""
    cause_alarm: str
    """Its first alarm; "" where it has none."""
    first_out: str
    """The alarm with the earliest event time."""
    first_twin: str
    raised: int
    """Event time of the first-out."""
    latest: int
    count: int
    priority: int
    into: str = ""
    """The group that this one has become part of."""

    def to_json(self, name: Callable[[str], str]) -> Json:
        return {
            "id": self.id,
            "cause": self.cause,
            "causeName": name(self.cause),
            "causeAlarm": self.cause_alarm or None,
            "firstOut": self.first_out,
            "firstOutTwin": self.first_twin,
            "firstOutName": name(self.first_twin),
            "raised": to_iso(self.raised),
            "latest": to_iso(self.latest),
            "count": self.count,
            "priority": self.priority,
            "into": self.into or None,
        }


def group_of(doc: Json) -> Group:
    """A group from its document."""
    return Group(
        doc["id"],
        doc["cause"],
        doc["causeAlarm"] or "",
        doc["firstOut"],
        doc["firstOutTwin"],
        from_iso(doc["raised"]),
        from_iso(doc["latest"]),
        doc["count"],
        doc["priority"],
        doc["into"] or "",
    )


@dataclass(slots=True)
class Draft:
    """What one call of `assign` plans, over what is applied."""

    groups: dict[str, Group] = field(default_factory=dict)
    member: dict[str, str] = field(default_factory=dict)
    """Alarm to group."""
    by_place: dict[str, dict[str, Seen]] = field(default_factory=dict)


class Groups:
    """All groups that may still grow, and the latest others."""

    def __init__(self, around: Surroundings, stored: Callable[[str], Json | None]) -> None:
        self._around = around
        self._stored = stored
        self.philosophy: Philosophy = DEFAULT
        self._groups: dict[str, Group] = {}
        self._open: dict[str, Group] = {}
        """Those that may still grow."""
        self._members: dict[str, set[str]] = {}
        self._member_of: dict[str, str] = {}
        self._single: dict[str, tuple[Seen, tuple[str, ...]]] = {}
        """Alarms in no group, with the twins that could be their cause."""
        self._below: dict[str, dict[str, Seen]] = {}
        """Twin to the ungrouped alarms that it could be the cause of, its own among them."""
        self._newest = 0

    def load(self, groups: Iterable[Document], alarms: Iterable[Json]) -> None:
        """Takes over what was stored; call once."""
        found = sorted((group_of(d.doc) for d in groups), key=lambda g: (g.latest, g.id))
        for group in found[-KEEP:]:
            self._set(group)
        for doc in sorted(alarms, key=lambda d: str(d["id"])):
            self._take(doc)

    # -- looking ------------------------------------------------------------------------------

    def resolve(self, key: str) -> str:
        """The group that a group has become part of, itself otherwise."""
        return self._resolve(key, self._groups)

    @staticmethod
    def _resolve(key: str, groups: Mapping[str, Group]) -> str:
        for _ in range(len(groups) + 1):
            found = groups.get(key)
            if found is None or not found.into:
                return key
            key = found.into
        return key

    def get(self, key: str) -> Json:
        """One group with the ids of its alarms.

        Raises:
            NotFound: there is no such group.
        """
        key = self.resolve(key)
        found = self._groups.get(key)
        if found is None:
            stored = self._stored(key)
            if stored is None:
                raise NotFound(f"there is no group '{key}'", hint="GET /alarms/groups lists them")
            found = group_of(stored)
        return {**found.to_json(self._around.name), "alarms": sorted(self.members(key))}

    def members(self, key: str) -> set[str]:
        """The alarms of a group that are in memory."""
        return set(self._members.get(self.resolve(key), ()))

    def find(self, limit: int = 100) -> list[Json]:
        """The latest groups, the newest first."""
        roots = [g for g in self._groups.values() if not g.into and g.count]
        roots.sort(key=lambda g: (g.latest, g.id), reverse=True)
        return [g.to_json(self._around.name) for g in roots[:limit]]

    # -- planning -----------------------------------------------------------------------------

    def assign(self, edits: list[Edit], read: Callable[[str], Json], now: int) -> list[Edit]:
        """Puts alarms that these edits raise for the first time into groups.

        Args:
            edits: of alarms, as they will be committed.
            read: an alarm as it is now.
            now: when this is done.

        Returns:
            The edits, with groups named in them, and those of groups and of further alarms.
        """
        fresh = [e.doc for e in edits if e.doc is not None and self._is_fresh(e)]
        if not fresh:
            return edits
        draft = Draft()
        for seen in sorted(map(self._seen, fresh), key=lambda s: (s.time, s.id)):
            self._place(seen, draft)
        planned = {e.key: e for e in edits if e.kind == "alarm"}
        for key, group in {**self._leave(fresh, draft), **draft.member}.items():
            old = planned.get(key)
            doc = old.doc if old is not None and old.doc is not None else read(key)
            who, why = (old.who, old.why) if old else (DESIGN, "grouped with others of its cause")
            planned[key] = Edit("alarm", key, {**doc, "group": group}, now, who, why)
        rest = [e for e in edits if e.kind != "alarm"]
        name = self._around.name
        made = [
            Edit(KIND, g.id, g.to_json(name), now, DESIGN, "grouped") for g in draft.groups.values()
        ]
        return [*planned.values(), *made, *rest]

    def _leave(self, fresh: list[Json], draft: Draft) -> dict[str, None]:
        """Takes alarms that are raised anew out of their groups of old times.

        Returns those of them that are in no group now.
        """
        alone: dict[str, None] = {}
        for doc in fresh:
            key = self.resolve(doc["group"]) if doc["group"] is not None else ""
            old = draft.groups.get(key) or self._groups.get(key)
            if old is None or draft.member.get(doc["id"]) == key:
                continue
            draft.groups[key] = replace(old, count=max(old.count - 1, 0))
            if doc["id"] not in draft.member:
                alone[doc["id"]] = None
        return alone

    def _is_fresh(self, edit: Edit) -> bool:
        """Whether an edit raises an alarm that has not been placed, or belongs to old times."""
        doc = edit.doc
        if edit.kind != "alarm" or doc is None or doc["state"] not in (UNACKNOWLEDGED, RETURNED):
            return False
        if doc["group"] is None:
            known = self._single.get(edit.key)
            return known is None or from_iso(doc["lastRaised"]) > known[0].time + self._window
        group = self._groups.get(self.resolve(doc["group"]))
        return group is not None and from_iso(doc["lastRaised"]) > group.latest + self._window

    @property
    def _window(self) -> int:
        return round(self.philosophy.window * SECOND)

    def _seen(self, doc: Json) -> Seen:
        """When an alarm was raised: its first raise, unless that belongs to old times."""
        first, last = from_iso(doc["raised"]), from_iso(doc["lastRaised"])
        time = first if last - first <= self._window else last
        return Seen(doc["id"], doc["twin"], time, doc["priority"])

    def _upstream(self, twin: str) -> Mapping[str, int]:
        at = self.philosophy
        direction = "in" if at.direction == "out" else "out"
        return self._around.relatives(twin, at.relationships, direction, at.hops)

    def _place(self, seen: Seen, draft: Draft) -> None:
        """Decides where one new alarm belongs."""
        up = self._upstream(seen.twin)
        groups = self._near_groups(seen, draft)
        above = [g for g in groups if g.cause == seen.twin or g.cause in up]
        below = [g for g in groups if g not in above and seen.twin in self._upstream(g.cause)]
        if above:
            target = min(above, key=lambda g: (up.get(g.cause, 0), g.raised, g.id))
            self._join(target, [seen], draft)
            self._merge(target.id, below, draft)
            return
        under = [s for s in self._near(seen.twin, seen, draft) if s.twin != seen.twin]
        over = self._nearest_above(seen, up, draft)
        if over is not None:
            self._begin(over.twin, [over, seen, *under], draft, below)
        elif under or below:
            self._begin(seen.twin, [seen, *under], draft, below)
        else:
            self._share(seen, up, draft)

    def _share(self, seen: Seen, up: Mapping[str, int], draft: Draft) -> None:
        """Groups alarms below the nearest twin they share, if they are enough; else remembers."""
        for place in sorted(up, key=lambda p: (up[p], p)):
            found = self._near(place, seen, draft)
            if len({s.twin for s in found} | {seen.twin}) >= self.philosophy.least:
                self._begin(place, [*found, seen], draft, [])
                return
        for place in (seen.twin, *up):
            draft.by_place.setdefault(place, {})[seen.id] = seen

    def _near_groups(self, seen: Seen, draft: Draft) -> list[Group]:
        """Groups that still stand alone and whose alarms lie within the window."""
        window = self._window
        pool = {**self._open, **draft.groups}
        return [
            g
            for g in pool.values()
            if not g.into and g.raised - window <= seen.time <= g.latest + window
        ]

    def _near(self, place: str, seen: Seen, draft: Draft) -> list[Seen]:
        """Ungrouped alarms at or below a twin within the window."""
        window = self._window
        pool = {**self._below.get(place, {}), **draft.by_place.get(place, {})}
        return [
            s
            for s in pool.values()
            if s.id not in draft.member and s.id != seen.id and abs(s.time - seen.time) <= window
        ]

    def _nearest_above(self, seen: Seen, up: Mapping[str, int], draft: Draft) -> Seen | None:
        found = [s for place in up for s in self._near(place, seen, draft) if s.twin == place]
        return min(found, key=lambda s: (up[s.twin], s.time, s.id), default=None)

    def _begin(self, cause: str, members: list[Seen], draft: Draft, below: list[Group]) -> None:
        one = min(members, key=lambda s: (s.time, s.id))
        group = Group(
            f"g-{one.id.removeprefix('a-')}",
            cause,
            "",
            one.id,
            one.twin,
            one.time,
            one.time,
            0,
            one.priority,
        )
        draft.groups[group.id] = group
        self._join(group, members, draft)
        self._merge(group.id, below, draft)

    def _join(self, group: Group, members: list[Seen], draft: Draft) -> None:
        for seen in members:
            draft.member[seen.id] = group.id
            group = _grown(group, seen)
        draft.groups[group.id] = group

    def _merge(self, key: str, others: list[Group], draft: Draft) -> None:
        """Makes other groups part of one."""
        target = draft.groups[key]
        for other in others:
            if other.id == key:
                continue
            is_first = (other.raised, other.first_out) < (target.raised, target.first_out)
            source = other if is_first else target
            target = replace(
                target,
                first_out=source.first_out,
                first_twin=source.first_twin,
                raised=min(other.raised, target.raised),
                latest=max(other.latest, target.latest),
                count=target.count + other.count,
                priority=min(target.priority, other.priority),
                cause_alarm=target.cause_alarm
                or (other.cause_alarm if other.cause == target.cause else ""),
            )
            draft.groups[other.id] = replace(other, into=key)
        draft.groups[key] = target

    # -- taking in ----------------------------------------------------------------------------

    def apply(self, edits: Iterable[Edit]) -> None:
        """Takes committed edits of groups and alarms in."""
        for edit in edits:
            if edit.kind == KIND and edit.doc is not None:
                self._set(group_of(edit.doc))
            elif edit.kind == "alarm" and edit.doc is not None:
                self._take(edit.doc)

    def _set(self, group: Group) -> None:
        self._groups[group.id] = group
        if group.into:
            self._open.pop(group.id, None)
            root = self.resolve(group.into)
            moved = self._members.pop(group.id, set())
            self._members.setdefault(root, set()).update(moved)
            self._member_of.update(dict.fromkeys(moved, root))
        else:
            self._open[group.id] = group
            self._newest = max(self._newest, group.latest)
        while len(self._groups) > KEEP:
            oldest = next(iter(self._groups))
            del self._groups[oldest]
            self._open.pop(oldest, None)
            for key in self._members.pop(oldest, set()):
                self._member_of.pop(key, None)

    def _take(self, doc: Json) -> None:
        key = doc["id"]
        if doc["group"] is not None:
            self._enter(key, self.resolve(doc["group"]))
            return
        if not doc["occurrences"] or doc["state"] not in SHOWN:
            return
        seen = self._seen(doc)
        known = self._single.get(key)
        if known is not None and known[0].time == seen.time:
            return
        self._forget(key)
        if (root := self._member_of.pop(key, None)) is not None:
            self._members.get(root, set()).discard(key)
        places = (seen.twin, *self._upstream(seen.twin))
        self._single[key] = seen, places
        for place in places:
            self._below.setdefault(place, {})[key] = seen
        self._newest = max(self._newest, seen.time)
        self._prune()

    def _enter(self, key: str, root: str) -> None:
        old = self._member_of.get(key)
        if old != root:
            if old is not None:
                self._members.get(old, set()).discard(key)
            self._member_of[key] = root
            self._members.setdefault(root, set()).add(key)
        self._forget(key)

    def _prune(self) -> None:
        """Forgets what lies too far back to be grouped with what comes."""
        oldest = self._newest - 2 * self._window
        for key, (seen, _) in list(islice(self._single.items(), 8)):
            if seen.time < oldest:
                self._forget(key)
        for key, group in list(islice(self._open.items(), 8)):
            if group.latest < oldest:
                del self._open[key]

    def _forget(self, key: str) -> None:
        _, places = self._single.pop(key, (None, ()))
        for place in places:
            found = self._below.get(place)
            if found is not None:
                found.pop(key, None)
                if not found:
                    del self._below[place]


def _grown(group: Group, seen: Seen) -> Group:
    """A group with one alarm more."""
    is_first = (seen.time, seen.id) < (group.raised, group.first_out)
    is_cause = seen.twin == group.cause and not group.cause_alarm
    return replace(
        group,
        cause_alarm=seen.id if is_cause else group.cause_alarm,
        first_out=seen.id if is_first else group.first_out,
        first_twin=seen.twin if is_first else group.first_twin,
        raised=min(seen.time, group.raised),
        latest=max(seen.time, group.latest),
        count=group.count + 1,
        priority=min(group.priority, seen.priority),
    )
