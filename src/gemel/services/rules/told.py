"""What rules told of each twin, as corrected so far: from when to when an alarm stood.

What comes late may say otherwise; then this is held against history (`app/late_alarms`), and what
history says takes its place here.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from operator import itemgetter
from typing import Any, NamedTuple

from gemel.services.rules.table import NEVER
from gemel.services.rules.transition import Transition

MOST = 50_000
"""Flips kept of all rules and twins; those that have told nothing for longest are forgotten ..."""
MOST_OF_ONE = 1_000
"""... and of one rule on one twin the oldest."""
Pair = tuple[str, str]
"""(rule, twin)."""
Span = tuple[int, int | None]
"""When an alarm was raised and cleared; None while it stands."""


class Told(NamedTuple):
    """A flip: a raise or, after one, a clear."""

    time: int
    value: float
    """Of the rule's subject."""


class Story:
    """One rule on one twin: raise, clear, raise and so on, in order of time."""

    __slots__ = ("flips", "known_from")

    def __init__(self, flips: Iterable[Told] = (), known_from: int = NEVER) -> None:
        self.flips = list(flips)
        self.known_from = known_from
        """Before this it is not known; an even number of flips lies there."""

    @property
    def latest(self) -> int:
        """When it flipped last; NEVER if it did not."""
        return self.flips[-1].time if self.flips else NEVER

    @property
    def stands(self) -> bool:
        """Whether an alarm stands."""
        return bool(len(self.flips) % 2)

    def stands_at(self, time: int) -> bool:
        """Whether an alarm stood at a moment."""
        return bool(bisect_right(self.flips, time, key=itemgetter(0)) % 2)

    def between(self, begin: int, end: int) -> list[Told]:
        """The flips from a moment up to and with another."""
        first = bisect_left(self.flips, begin, key=itemgetter(0))
        return self.flips[first : bisect_right(self.flips, end, key=itemgetter(0))]

    def standing_since(self, begin: int) -> Told | None:
        """The raise of what stood just before a moment."""
        before = bisect_left(self.flips, begin, key=itemgetter(0))
        return self.flips[before - 1] if before % 2 else None

    def replace(self, begin: int, end: int, flips: Iterable[Told]) -> None:
        """Puts other flips in the place of those from a moment up to and with another."""
        first = bisect_left(self.flips, begin, key=itemgetter(0))
        last = bisect_right(self.flips, end, key=itemgetter(0))
        self.flips[first:last] = flips


class ToldStories:
    """The stories of all rules and twins that have told anything."""

    def __init__(self) -> None:
        self._stories: dict[Pair, Story] = {}
        """Those that told something last stand last."""
        self._count = 0
        self._forgotten = NEVER
        """Up to here others may have told what is forgotten."""

    def of(self, rule: str, twin: str) -> Story:
        found = self._stories.get((rule, twin))
        return Story(known_from=self._forgotten) if found is None else found

    def take(self, transitions: Iterable[Transition]) -> None:
        """Notes what rules did; what was told before (a replay) says nothing new."""
        for t in transitions:
            story = self.of(t.rule_id, t.twin)
            if (t.kind == "raise") != story.stands and t.time > story.latest:
                self._add((t.rule_id, t.twin), story, Told(t.time, t.value))

    def assume(self, rule: str, raised: Mapping[str, int]) -> None:
        """Takes standing alarms (twin to time) for told."""
        for twin, time in raised.items():
            story = self.of(rule, twin)
            if not story.stands:
                self._add((rule, twin), story, Told(time, float("nan")))

    def amend(self, rule: str, twin: str, told: Sequence[Span], actual: Sequence[Span]) -> None:
        """Puts alarms that stood in the place of others, where these are there.

        Args:
            rule: whose.
            twin: on which.
            told: what goes.
            actual: what comes; what stands takes the end of what stood and goes.
        """
        story = self.of(rule, twin)
        ends = [flip.time for flip in story.flips[1::2]]
        spans = dict(zip_longest((flip.time for flip in story.flips[::2]), ends))
        if any(raised not in spans for raised, _ in told):
            return
        end = None
        for raised, cleared in told:
            stood_until = spans.pop(raised)
            end = stood_until if cleared is None else end
        spans |= {raised: end if cleared is None else cleared for raised, cleared in actual}
        times = [time for span in sorted(spans.items()) for time in span]
        times = times[:-1] if times and times[-1] is None else times
        if None not in times and times == sorted(times):
            flips = [Told(time, float("nan")) for time in times if time is not None]
            self._count -= len(story.flips) if (rule, twin) in self._stories else 0
            self._keep((rule, twin), Story(flips, story.known_from))

    def replace(self, rule: str, twin: str, begin: int, end: int, flips: list[Told]) -> None:
        """As `Story.replace`."""
        story = self.of(rule, twin)
        self._count -= len(story.flips) if (rule, twin) in self._stories else 0
        story.replace(begin, end, flips)
        self._keep((rule, twin), story)

    def begin(self, rule: str, twin: str, is_active: bool, time: int) -> None:
        """What a rule told of a twin is known from a moment on only."""
        self.forget(rule, [twin])
        flips = [Told(time, float("nan"))] if is_active else []
        self._keep((rule, twin), Story(flips, time + 1))

    def forget(self, rule: str, twins: Iterable[str] | None = None) -> None:
        """Forgets what a rule told, of some twins or of all: it begins anew."""
        gone = [key for key in self._stories if key[0] == rule] if twins is None else []
        gone += [(rule, twin) for twin in twins or ()]
        for pair in gone:
            found = self._stories.pop(pair, None)
            self._count -= len(found.flips) if found else 0

    def forget_before(self, time: int) -> None:
        """What was told up to a moment is not known."""
        self._forgotten = max(self._forgotten, time)

    def _add(self, pair: Pair, story: Story, flip: Told) -> None:
        self._count -= len(story.flips) if pair in self._stories else 0
        story.flips.append(flip)
        self._keep(pair, story)

    def _keep(self, pair: Pair, story: Story) -> None:
        while len(story.flips) > MOST_OF_ONE:
            story.known_from = story.flips[1].time + 1
            del story.flips[:2]
        self._stories.pop(pair, None)
        self._stories[pair] = story
        self._count += len(story.flips)
        while self._count > MOST and len(self._stories) > 1:
            gone = self._stories.pop(next(iter(self._stories)))
            self._count -= len(gone.flips)
            if gone.flips:
                self._forgotten = max(self._forgotten, gone.flips[-1].time)

    # -- over a restart ------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """What is kept, as JSON."""
        stories = [
            [rule, twin, story.known_from, [list(flip) for flip in story.flips]]
            for (rule, twin), story in self._stories.items()
        ]
        return {"forgotten": self._forgotten, "stories": stories}

    def restore(self, found: Mapping[str, Any]) -> None:
        self._stories, self._count = {}, 0
        self._forgotten = found["forgotten"]
        for rule, twin, known_from, flips in found["stories"]:
            told = [Told(time, float("nan") if v is None else v) for time, v in flips]
            self._stories[rule, twin] = Story(told, known_from)
            self._count += len(told)
