"""A rule on a twin held against history: what it told, and what all readings say it should have.

The present is put right at once: where the rule stands elsewhere than history says, it raises or
clears. The past is returned as a difference, which is recorded as a correction.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gemel.app.backtest import Episode, Plan, Progress, SpanReadings, heard_by, look_up, span_of
from gemel.app.rule_means import RuleMeans
from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput
from gemel.services.rules.against_history import flips_of, still_to_tell
from gemel.services.rules.belated import DOUBT, LateReadings
from gemel.services.rules.features import every_path, longest_window
from gemel.services.rules.rule import Rule
from gemel.services.rules.table import NEVER
from gemel.services.rules.told import Told, ToldStories
from gemel.services.rules.transition import Transition
from gemel.services.rules.watched import Position
from gemel.services.rules.whole import Course, Start

if TYPE_CHECKING:
    from gemel.app.platform import Platform

LONGEST = 86_400 * SECOND
"""Judged after the last late reading; longer only if an alarm then stands that should not, or the
other way round."""
MOST_READINGS = 2_000_000
"""Of one twin and its relatives in one look."""
FEW_READINGS = 100_000
"""Judged on the loop, where a rule moves on faster than a thread can look."""
TRIES = 3


class NotYet(Exception):
    """The rule is not up to date on the twin; look again later."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What was told from one moment up to another, and what history says."""

    rule: Rule
    late: LateReadings
    begin: int
    end: int
    told: list[Told]
    actual: list[Told]
    before: Told | None
    """The raise of what stood at the beginning."""

    def sides(self) -> tuple[list[Episode], list[Episode]]:
        """The alarms that stood only as told, and only as history says."""
        told, actual = (self._episodes(flips) for flips in (self.told, self.actual))
        spans = [{_span_of(e) for e in side} for side in (told, actual)]
        return (
            [e for e in told if _span_of(e) not in spans[1]],
            [e for e in actual if _span_of(e) not in spans[0]],
        )

    def _episodes(self, flips: list[Told]) -> list[Episode]:
        flips = [*([self.before] if self.before else []), *flips]
        found = []
        for i in range(0, len(flips), 2):
            raised, is_open = flips[i], i + 1 == len(flips)
            cleared = max(self.end, raised.time) if is_open else flips[i + 1].time
            found.append(Episode(self.late.twin, raised.time, cleared, is_open, raised.value))
        return found


class HistoryLook:
    """Looks at one rule and twin at a time."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._means = RuleMeans(platform)

    async def look(self, late: LateReadings) -> Difference | None:
        """Puts the rule right on the twin; what it told wrongly before, None if nothing.

        Raises:
            NotYet: it is not up to date.
            InvalidInput: there are too many readings.
        """
        engine = self._platform.reactions.engine
        rule = engine.rules.get(late.rule)
        if rule is None or self._platform.graph.find_twin(late.twin) is None:
            return None
        late = await asyncio.to_thread(self._news, late)
        if not len(late):
            return None  # all of it was said before
        begin = late.begin
        if not rule.is_clocked:  # silence was waited for so long
            begin -= engine.delivery
        begin = max(begin, self._told.of(rule.id, late.twin).known_from)
        position = self._position(rule, late.twin)
        if position is None or begin > max(late.end, position.moment):
            return None
        long_after = late.end + LONGEST + _reach(rule)
        if long_after < position.moment:
            start = self._start(late, begin)
            plan = self._plan(rule, late.twin, start, long_after)
            course = await asyncio.to_thread(self._course, plan, start)
            if course.is_active == self._told.of(rule.id, late.twin).stands_at(long_after):
                return self._difference(rule, late, begin, long_after, course)
        return await self._all(rule, late, begin)

    @property
    def _told(self) -> ToldStories:
        return self._platform.reactions.told

    def _news(self, late: LateReadings) -> LateReadings:
        """Those that history did not hold before: what was repeated moved its rules in time."""
        news = {}
        for number, times in late.times.items():
            if number == DOUBT:
                news[number] = times
                continue
            begin, end = int(times[0]), int(times[-1]) + 1
            stored = self._platform.history.read(number, begin, end, limit=MOST_READINGS)
            is_news = late.is_news(number, stored.time, stored.received)
            is_too_much = len(stored) == MOST_READINGS  # which the look then says
            news[number] = times if is_too_much else stored.time[is_news]
        return late.only(news)

    # ---- how it stands -------------------------------------------------------------------

    def _position(self, rule: Rule, twin: str) -> Position | None:
        engine = self._platform.reactions.engine
        if engine.rules.get(rule.id) is not rule or not engine.is_judged(rule.id, twin):
            raise NotYet
        found = engine.position(rule.id, twin)
        return None if found is None or found.moment == NEVER else found

    def _start(self, late: LateReadings, begin: int) -> Start:
        return Start(begin, self._told.of(late.rule, late.twin).stands_at(begin - 1))

    def _until(self, rule: Rule, position: Position) -> int:
        """How far it has been judged: of rules on single readings, what silence decides too."""
        if rule.is_clocked:
            return position.moment
        delivery = self._platform.reactions.engine.delivery
        return max(position.moment + delivery, self._platform.clock() - position.lag)

    # ---- history -------------------------------------------------------------------------

    async def _all(self, rule: Rule, late: LateReadings, begin: int) -> Difference | None:
        """Up to now; the loop goes on meanwhile, so where the rule has moved it is looked again."""
        twin = late.twin
        for _ in range(TRIES):
            position, plan, start = self._now(rule, late, begin)
            if position is None or plan is None:
                return None
            course = await asyncio.to_thread(self._course, plan, start)
            if self._position(rule, twin) == position:
                break
        else:
            position, plan, start = self._now(rule, late, begin)
            if position is None or plan is None:
                return None
            try:
                course = self._course(plan, start, FEW_READINGS)
            except InvalidInput:
                raise NotYet from None
        self._put_right(rule, twin, position, course)
        end = max(self._told.of(rule.id, twin).latest, begin)
        return self._difference(rule, late, begin, end, course)

    def _now(
        self, rule: Rule, late: LateReadings, begin: int
    ) -> tuple[Position | None, Plan | None, Start]:
        """Where the rule stands, and what is to be judged; None where that is not known."""
        start, position = self._start(late, begin), self._position(rule, late.twin)
        if position is None:
            return None, None, start
        story = self._told.of(rule.id, late.twin)
        if story.stands != position.is_active and story.known_from != NEVER:
            self._told.begin(rule.id, late.twin, position.is_active, position.flipped)
            return None, None, start  # what was told is long forgotten
        return position, self._plan(rule, late.twin, start, self._until(rule, position)), start

    def _plan(self, rule: Rule, twin: str, start: Start, end: int) -> Plan:
        begin = start.time - _reach(rule) - SECOND
        if not rule.kernel.features:
            begin -= min(round(rule.stale_after * SECOND), LONGEST)
        plan = Plan({"live": rule}, [twin], begin, end, [], {}, {}, {})
        self._means.note(every_path(rule.kernel.paths, rule.kernel.features))
        look_up(plan, self._platform, self._means, rule, twin)
        return plan

    def _course(self, plan: Plan, start: Start, most: int = MOST_READINGS) -> Course:
        """In a thread, or on the loop."""
        (rule,), (twin,) = plan.rules.values(), plan.twins
        readings = SpanReadings(self._platform, plan, Progress(rule.id, 1), most)
        heard = heard_by(rule, twin, readings)
        return span_of(plan, readings).follow(rule, twin, start, heard)

    # ---- what follows --------------------------------------------------------------------

    def _put_right(self, rule: Rule, twin: str, position: Position, course: Course) -> None:
        """Raises or clears, so that from now on the rule stands as history says."""
        reactions = self._platform.reactions
        flip = still_to_tell(position, course)
        flipped = max(position.flipped, *course.time.tolist(), flip.time if flip else NEVER)
        reactions.engine.correct(rule.id, twin, course.is_active, course.since, flipped)
        if flip is not None:
            kind = "raise" if course.is_active else "clear"
            series = self._means.series_of(twin).get(rule.kernel.subject.path, -1)
            shown = reactions.engine.shown(rule, series, flip.value)
            reactions.follow([Transition(rule.id, rule.version, twin, kind, flip.time, *shown)])

    def _difference(
        self, rule: Rule, late: LateReadings, begin: int, end: int, course: Course
    ) -> Difference | None:
        story = self._told.of(rule.id, late.twin)
        told, actual = story.between(begin, end), flips_of(course)
        if [flip.time for flip in told] == [flip.time for flip in actual]:
            return None
        before = story.standing_since(begin)
        return Difference(rule, late, begin, end, told, actual, before)


def _reach(rule: Rule) -> int:
    """How long a reading may make a difference by itself, ns."""
    return longest_window(rule.kernel.features) * SECOND + rule.kernel.hold + rule.kernel.off


def _span_of(episode: Episode) -> tuple[int, int | None]:
    return episode.raised, None if episode.is_open else episode.cleared
