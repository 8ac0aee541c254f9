"""Back-test: what a rule would have done over a span of history, before it goes live.

Twin after twin is read and judged in a thread of its own, so that what it needs at a time is
bounded by `MOST_READINGS` of one twin and its relatives; the platform goes on beside it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.app.rule_means import RuleMeans
from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput, NotFound, Unavailable
from gemel.services.rules.expression import Relation
from gemel.services.rules.features import Feature, every_path, longest_window
from gemel.services.rules.rule import Rule
from gemel.services.rules.text import code_of_json
from gemel.services.rules.whole import Span

if TYPE_CHECKING:
    from gemel.app.platform import Platform

MOST_READINGS = 20_000_000
"""Of one twin and its relatives in one back-test; about 1.5 GB while it is judged."""
MOST_WAITING = 8
MOST_EPISODES = 1_000
"""Listed in the answer; all are counted."""


@dataclass(frozen=True, slots=True)
class Label:
    """A span in which something was known to be wrong."""

    begin: int
    end: int
    twin: str = ""
    """"" is every twin."""


@dataclass(frozen=True, slots=True)
class Episode:
    """From a raise to its clear; at the end of the span if it stood then."""

    twin: str
    raised: int
    cleared: int
    is_open: bool
    value: float


@dataclass(slots=True)
class Progress:
    rule: str
    of: int
    done: int = 0
    readings: int = 0
    is_cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is looked up on the loop's thread before the work begins."""

    rules: dict[str, Rule]
    """`tested`, and `live` if a rule of this id is."""
    twins: list[str]
    begin: int
    end: int
    labels: list[Label]
    series: dict[str, dict[str, int]]
    every: dict[str, list[int]]
    """By twin, all its series: they tell whether it was alive."""
    relatives: dict[tuple[str, Relation], list[str]]
    settings: dict[str, dict[str, float]] = field(default_factory=dict)


class Backtests:
    """Runs back-tests one after another."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._means = RuleMeans(platform)
        self._executor = ThreadPoolExecutor(1, "backtest")
        self._numbers = itertools.count(1)
        self.running: dict[str, Progress] = {}

    async def run(
        self,
        document: Json,
        begin: int,
        end: int,
        twins: Sequence[str] = (),
        labels: Sequence[Label] = (),
    ) -> Json:
        """What a rule would have done.

        Args:
            document: the rule, as for `PUT /rules/{id}`; with the `id` of a live one it is
                compared with that.
            begin: ns.
            end: ns; after `begin`.
            twins: only these; all of the model without any.
            labels: when something was wrong.

        Raises:
            InvalidInput: the rule is wrong, or the span holds too much.
            NotFound: the model or a twin is not there.
            Unavailable: too many wait already.
        """
        if not begin < end:
            raise InvalidInput("'from' must lie before 'to'", hint="such as -7d and now")
        if len(self.running) >= MOST_WAITING:
            raise Unavailable(
                f"{MOST_WAITING} back-tests are under way", hint="try again when one is done"
            )
        plan = self._plan(document, begin, end, twins, labels)
        key = str(next(self._numbers))
        progress = Progress(plan.rules["tested"].id, len(plan.twins) * len(plan.rules))
        self.running[key] = progress
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._executor, self._judge, plan, progress
            )
        except asyncio.CancelledError:
            progress.is_cancelled = True
            raise
        finally:
            del self.running[key]

    def close(self) -> None:
        for progress in self.running.values():
            progress.is_cancelled = True
        self._executor.shutdown(wait=True, cancel_futures=True)

    def views(self) -> list[Json]:
        """Those under way."""
        return [
            {"id": key, "rule": p.rule, "done": p.done, "of": p.of, "readings": p.readings}
            for key, p in self.running.items()
        ]

    # -- on the loop's thread ---------------------------------------------------------------------

    def _plan(
        self,
        document: Json,
        begin: int,
        end: int,
        twins: Sequence[str],
        labels: Sequence[Label],
    ) -> Plan:
        platform = self._platform
        key = str(document.get("id") or "tested")
        load = platform.reactions.load_rule
        rules = {"tested": load(key, document, platform.graph)}
        live = platform.catalogue.plain["rule"].get(key)
        if live is not None and key in platform.reactions.engine.rules:
            rules["live"] = load(key, live, platform.graph)
        chosen = self._chosen(rules["tested"], twins)
        plan = Plan(rules, chosen, begin, end, list(labels), {}, {}, {})
        for rule in rules.values():
            self._means.note(every_path(rule.kernel.paths, rule.kernel.features))
            for twin in chosen:
                look_up(plan, self._platform, self._means, rule, twin)
        return plan

    def _chosen(self, rule: Rule, twins: Sequence[str]) -> list[str]:
        found = sorted(twin for twin, _ in self._means.instances(rule))
        for twin in twins:
            if twin not in found:
                raise NotFound(
                    f"the rule's model has no twin '{twin}'",
                    hint="one of: " + ", ".join(found[:8]) if found else "make a twin of the model",
                )
        return sorted(twins) if twins else found

    # -- in the thread ----------------------------------------------------------------------------

    def _judge(self, plan: Plan, progress: Progress) -> Json:
        found: dict[str, list[Episode]] = {name: [] for name in plan.rules}
        for twin in plan.twins:
            readings = SpanReadings(self._platform, plan, progress)
            for name, rule in plan.rules.items():
                if progress.is_cancelled:
                    raise Unavailable("the back-test was called off", hint="start it again")
                found[name] += judged(plan, rule, twin, readings)
                progress.done += 1
        answer: Json = {
            "rule": plan.rules["tested"].id,
            "from": to_iso(plan.begin),
            "to": to_iso(plan.end),
            "twins": len(plan.twins),
            "readings": progress.readings,
            **summary(plan, found["tested"]),
        }
        if "live" in found:
            answer["live"] = {
                "version": plan.rules["live"].version,
                "when": plan.rules["live"].when,
                **summary(plan, found["live"]),
            }
        return answer


Path = tuple[Relation, tuple[Any, ...]]
"""A relation, and the paths that go on from there."""


def _relations(features: Mapping[str, Feature]) -> list[Path]:
    """The relations that features follow from a twin."""
    found: list[Path] = []
    for feature in features.values():
        inner = getattr(feature, "inner", None)
        below = _relations(getattr(feature, "features", None) or {})
        further = _relations(inner.features) if inner is not None else []
        relation = getattr(feature, "relation", None)
        found += below
        if relation is None:
            found += further
        else:
            found.append((relation, tuple(further)))
    return found


def look_up(plan: Plan, platform: Platform, means: RuleMeans, rule: Rule, twin: str) -> None:
    """Notes what is known of a twin, and of its relatives as far as the rule follows them."""
    queue: list[tuple[str, tuple[Any, ...]]] = [(twin, tuple(_relations(rule.kernel.features)))]
    while queue:
        who, relations = queue.pop()
        plan.series.setdefault(who, means.series_of(who))
        plan.every.setdefault(who, platform.series.of_twin(who))
        plan.settings.setdefault(who, means.settings(who))
        for relation, further in relations:
            kin = means.relatives(who, relation)
            plan.relatives[who, relation] = kin
            queue += [(one, further) for one in kin]


class SpanReadings:
    """Reads history of one twin and its relatives once for all rules, up to a bound.

    Args:
        most: how many may be read; `MOST_READINGS` unless said.
    """

    def __init__(
        self,
        platform: Platform,
        plan: Plan,
        progress: Progress,
        most: int = 0,
    ) -> None:
        self._most = most or MOST_READINGS
        self._history = platform.history
        self._plan, self._progress = plan, progress
        longest = max(longest_window(rule.kernel.features) for rule in plan.rules.values())
        self._since = plan.begin - longest * SECOND
        self._kept: dict[int, tuple[I64, F64]] = {}
        self._count = 0

    def read(self, twin: str, path: str) -> tuple[I64, F64]:
        number = self._plan.series.get(twin, {}).get(path)
        if number is None:
            return np.zeros(0, np.int64), np.zeros(0)
        found = self._kept.get(number)
        if found is None:
            found = self._kept[number] = self._fetch(number)
        return found

    def _fetch(self, number: int) -> tuple[I64, F64]:
        columns = self._history.read(
            number, self._since, self._plan.end + 1, limit=self._most - self._count + 1
        )
        self._add(len(columns))
        time, value = columns.time, columns.value
        if columns.text:
            value = value.copy()
            for row, text in columns.text.items():
                value[row] = code_of_json(text)
        counts = np.isfinite(value)
        if not counts.all():
            time, value = time[counts], value[counts]
        before = self._history.last(number, self._since - 1)
        if before is not None and before.quality < 128:
            first = before.value if before.text is None else code_of_json(before.text)
            if np.isfinite(first):
                time = np.concatenate((np.array([before.time], np.int64), time))
                value = np.concatenate((np.array([first]), value))
        return time, value

    def _add(self, count: int) -> None:
        self._count += count
        self._progress.readings += count
        if self._count > self._most:
            raise InvalidInput(
                f"a twin has more than {self._most:,} readings in this span",
                hint="choose a shorter span",
            )

    def heard(self, twin: str) -> I64:
        """The times of all readings of a twin, bad ones too."""
        found = [np.zeros(0, np.int64)]
        for number in self._plan.every[twin]:
            end = self._plan.end + 1
            columns = self._history.read(number, self._since, end, bad=True, limit=self._most)
            found.append(columns.time)
        times = np.concatenate(found)
        self._add(len(times))
        times.sort(kind="stable")
        return times


def span_of(plan: Plan, readings: SpanReadings) -> Span:
    """The span of a plan, over what history holds of it."""
    return Span(
        readings.read,
        plan.begin,
        plan.end,
        lambda who, relation: plan.relatives.get((who, relation), []),
        lambda who: plan.settings.get(who, {}),
    )


def heard_by(rule: Rule, twin: str, readings: SpanReadings) -> I64:
    """When anything was heard of a twin, where it makes a difference to a rule."""
    if rule.kernel.features or not (rule.kernel.hold or rule.kernel.off):
        return np.zeros(0, np.int64)
    return readings.heard(twin)


def judged(plan: Plan, rule: Rule, twin: str, readings: SpanReadings) -> list[Episode]:
    """The alarms of a rule on a twin over the span."""
    heard = heard_by(rule, twin, readings)
    outcome = span_of(plan, readings).judge(rule, twin, heard)
    raised, cleared = outcome.raised.tolist(), outcome.cleared.tolist()
    values = outcome.value[::2].tolist()
    return [
        Episode(
            twin,
            begin,
            cleared[i] if i < len(cleared) else plan.end,
            i >= len(cleared),
            values[i],
        )
        for i, begin in enumerate(raised)
    ]


# -- what it comes to ----------------------------------------------------------------------------


def summary(plan: Plan, episodes: list[Episode]) -> Json:
    """How often, how long, on whom; against labels if there are any."""
    episodes = sorted(episodes, key=lambda e: (e.raised, e.twin))
    lengths = np.array([e.cleared - e.raised for e in episodes], np.float64) / SECOND
    span = (plan.end - plan.begin) / SECOND
    by_twin: dict[str, int] = {}
    for episode in episodes:
        by_twin[episode.twin] = by_twin.get(episode.twin, 0) + 1
    busiest = sorted(by_twin.items(), key=lambda pair: (-pair[1], pair[0]))[:20]
    found: Json = {
        "alarms": len(episodes),
        "alarmsPerDay": round(len(episodes) / span * 86_400, 3),
        "activeSeconds": round(float(lengths.sum()), 3),
        "medianSeconds": round(float(np.median(lengths)), 3) if len(lengths) else None,
        "longestSeconds": round(float(lengths.max()), 3) if len(lengths) else None,
        "byTwin": dict(busiest),
        "episodes": [episode_view(e) for e in episodes[:MOST_EPISODES]],
    }
    if plan.labels:
        found["labels"] = against(plan, episodes)
    return found


def episode_view(episode: Episode) -> Json:
    """An episode as JSON."""
    return {
        "twin": episode.twin,
        "raised": to_iso(episode.raised),
        "cleared": None if episode.is_open else to_iso(episode.cleared),
        "seconds": round((episode.cleared - episode.raised) / SECOND, 3),
        "value": None if np.isnan(episode.value) else episode.value,
    }


def against(plan: Plan, episodes: Sequence[Episode]) -> Json:
    """Precision, recall and delay against labelled events.

    An event is caught if an alarm stands at some time within it, and an alarm is right if it stands
    at some time within an event. The delay is from the begin of an event to its first alarm.
    """
    caught, right, delays = 0, set[int](), list[float]()
    inside = 0.0
    for label in plan.labels:
        touching = [
            (i, e)
            for i, e in enumerate(episodes)
            if label.twin in ("", e.twin) and e.raised <= label.end and e.cleared >= label.begin
        ]
        right |= {i for i, _ in touching}
        for _, e in touching:
            inside += (min(e.cleared, label.end) - max(e.raised, label.begin)) / SECOND
        if touching:
            caught += 1
            delays.append(max(min(e.raised for _, e in touching) - label.begin, 0) / SECOND)
    active = sum((e.cleared - e.raised) / SECOND for e in episodes)
    twins = max(len(plan.twins), 1)
    wrong = sum(
        (min(b.end, plan.end) - max(b.begin, plan.begin)) / SECOND * (1 if b.twin else twins)
        for b in plan.labels
    )
    quiet = (plan.end - plan.begin) / SECOND * twins - wrong
    return {
        "events": len(plan.labels),
        "caught": caught,
        "recall": round(caught / len(plan.labels), 4),
        "precision": round(len(right) / len(episodes), 4) if episodes else None,
        "falseAlarms": len(episodes) - len(right),
        "falseShare": round(max(active - inside, 0.0) / quiet, 6) if quiet > 0 else None,
        "medianDelaySeconds": round(float(np.median(delays)), 3) if delays else None,
    }
