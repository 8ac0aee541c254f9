"""Key figures of alarms over a span, by ISA-18.2: rates, floods, top ten, time to acknowledge."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from gemel.core.clock import SECOND, from_iso, to_iso
from gemel.core.document import Json
from gemel.services.alarms.philosophy import Philosophy
from gemel.services.alarms.record import Step
from gemel.services.alarms.states import SHOWN

SPAN = 600 * SECOND
"""Ten minutes, the span of all rates."""
TOP = 10
CHATTER_AGE = 600 * SECOND
"""How long an alarm is called chattering after it was."""


@dataclass(frozen=True, slots=True)
class Flood:
    begin: int
    end: int
    count: int
    """Annunciations in it."""
    peak: int
    """Most in ten minutes."""
    is_over: bool

    def to_json(self) -> Json:
        return {
            "from": to_iso(self.begin),
            "to": to_iso(self.end) if self.is_over else None,
            "count": self.count,
            "peak": self.peak,
        }


def find_floods(times: Sequence[int], philosophy: Philosophy, now: int) -> list[Flood]:
    """Spans that begin with more annunciations in ten minutes than an operator can take.

    Args:
        times: of annunciations in ns, in order.
        philosophy: how many begin and end a flood.
        now: until when is looked.

    Source: ISA-18.2-2016, 16.5.3: begins at more than 10 in 10 minutes, ends below 5.
    """
    begin_above = philosophy.flood * philosophy.operators
    end_below = philosophy.flood_end * philosophy.operators
    found: list[Flood] = []
    window: deque[int] = deque()
    began = count = peak = 0
    for time in times:
        if began and (end := _end_of(window, end_below, time)) is not None:
            found.append(Flood(began, end, count, peak, True))
            began = 0
        window.append(time)
        while window[0] <= time - SPAN:
            window.popleft()
        if not began and len(window) > begin_above:
            began, count, peak = window[0], len(window) - 1, 0
        if began:
            count += 1
            peak = max(peak, len(window))
    if began:
        ended = _end_of(window, end_below, now)
        found.append(Flood(began, now if ended is None else ended, count, peak, ended is not None))
    return found


def _end_of(window: Iterable[int], end_below: int, until: int) -> int | None:
    """When too few are left in the window, if that is before the next annunciation."""
    times = list(window)
    at = max(len(times) - max(end_below, 1), 0)
    if at >= len(times):
        return None
    end = times[at] + SPAN
    return end if end <= until else None


class FloodWatch:
    """The annunciations of the last ten minutes, and whether they are a flood."""

    def __init__(self) -> None:
        self._told: deque[tuple[int, str]] = deque()
        self._since = 0

    def add(self, time: int, count: int, twin: str) -> None:
        self._told.extend([(time, twin)] * count)

    def state(self, philosophy: Philosophy, now: int) -> Json:
        """`since` is None when there is no flood."""
        self._forget(now)
        count = len(self._told)
        if count > philosophy.flood * philosophy.operators:
            self._since = self._since or self._told[0][0]
        elif count < max(philosophy.flood_end * philosophy.operators, 1):
            self._since = 0
        return {"since": to_iso(self._since) if self._since else None, "count": count}

    def state_of(self, is_seen: Callable[[str], bool], philosophy: Philosophy, now: int) -> Json:
        """As `state`, of the alarms of some twins; a flood is looked for in the last ten minutes.

        Args:
            is_seen: whether a twin's alarms count.
            philosophy: how many begin and end a flood.
            now: ns since 1970.
        """
        self._forget(now)
        times = [time for time, twin in self._told if is_seen(twin)]
        running = [flood for flood in find_floods(times, philosophy, now) if not flood.is_over]
        since = to_iso(running[-1].begin) if running else None
        return {"since": since, "count": len(times)}

    def _forget(self, now: int) -> None:
        while self._told and self._told[0][0] <= now - SPAN:
            self._told.popleft()


def annunciations(steps: Iterable[Step]) -> list[Step]:
    """The steps with which people were told of something."""
    return [step for step in steps if is_told(step)]


def is_told(step: Step) -> bool:
    return step.raises > 0 and step.state in SHOWN


def figures(
    steps: Sequence[Step], live: Sequence[Json], philosophy: Philosophy, begin: int, end: int
) -> Json:
    """All key figures.

    Args:
        steps: what happened in the span, in order.
        live: the alarms that are not over at its end.
        philosophy: of the plant.
        begin: of the span, ns.
        end: of the span, ns.
    """
    told = annunciations(steps)
    times = [step.time for step in told for _ in range(step.raises)]
    floods = find_floods(times, philosophy, end)
    spans = max((end - begin) / SPAN, 1e-9)
    flooded = sum(min(f.end, end) - max(f.begin, begin) for f in floods)
    return {
        "from": to_iso(begin),
        "to": to_iso(end),
        "operators": philosophy.operators,
        "annunciated": len(times),
        "perOperatorPer10Minutes": round(len(times) / spans / philosophy.operators, 3),
        "peakPer10Minutes": _peak(times),
        "floods": [flood.to_json() for flood in floods],
        "floodPercent": round(100 * flooded / max(end - begin, 1), 2),
        "byPriority": _by_priority(told),
        "topTen": _top(told, len(times)),
        "acknowledge": _to_acknowledge(steps),
        "standing": len([d for d in live if d["isActive"]]),
        "stale": [d["id"] for d in live if is_stale(d, philosophy, end)],
        "chattering": [d["id"] for d in live if is_chattering(d, end)],
        "heldBack": {
            state: sum(d["state"] == state for d in live)
            for state in ("shelved", "suppressed", "out-of-service")
        },
    }


def is_stale(doc: Json, philosophy: Philosophy, now: int) -> bool:
    """Whether an alarm has been active for longer than anybody should let it."""
    return doc["isActive"] and now - from_iso(doc["lastRaised"]) > philosophy.stale * SECOND


def is_chattering(doc: Json, now: int) -> bool:
    return doc["chattered"] is not None and now - from_iso(doc["chattered"]) <= CHATTER_AGE


def _peak(times: Sequence[int]) -> int:
    """Most annunciations in any ten minutes."""
    peak = first = 0
    for last, time in enumerate(times):
        while times[first] <= time - SPAN:
            first += 1
        peak = max(peak, last - first + 1)
    return peak


def _by_priority(told: Sequence[Step]) -> Json:
    counts = Counter[int]()
    for step in told:
        counts[step.doc["priority"]] += step.raises
    total = sum(counts.values())
    return {
        str(p): {"count": counts[p], "percent": round(100 * counts[p] / total, 1) if total else 0.0}
        for p in (1, 2, 3, 4)
    }


def _top(told: Sequence[Step], total: int) -> list[Json]:
    counts = Counter[tuple[str, str]]()
    words: dict[tuple[str, str], Json] = {}
    for step in told:
        pair = (step.doc["rule"], step.doc["twin"])
        counts[pair] += step.raises
        words[pair] = {n: step.doc[n] for n in ("rule", "twin", "twinName", "title", "priority")}
    return [
        {**words[pair], "count": count, "percent": round(100 * count / total, 1)}
        for pair, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:TOP]
    ]


def _to_acknowledge(steps: Sequence[Step]) -> Json:
    """From the moment people were told to the moment somebody acknowledged."""
    told: dict[str, int] = {}
    seconds = []
    for step in steps:
        if is_told(step):
            told.setdefault(step.alarm, step.time)
        elif step.what == "acknowledged" and step.alarm in told:
            seconds.append((step.time - told.pop(step.alarm)) / SECOND)
    seconds.sort()
    return {
        "count": len(seconds),
        "medianSeconds": round(median(seconds), 1) if seconds else None,
        "p90Seconds": round(seconds[int(0.9 * (len(seconds) - 1))], 1) if seconds else None,
    }


def handover(
    steps: Sequence[Step],
    live: Sequence[Json],
    groups: Sequence[Json],
    philosophy: Philosophy,
    span: tuple[int, int],
) -> Json:
    """What the next shift must know: what stands, what is put aside, what happened and was said."""
    begin, end = span
    now: dict[str, list[Json]] = {
        "standing": [d for d in live if d["isActive"] or d["state"] == "returned"],
        "shelved": [d for d in live if d["state"] == "shelved"],
        "suppressed": [d for d in live if d["state"] == "suppressed"],
        "outOfService": [d for d in live if d["state"] == "out-of-service"],
    }
    for found in now.values():
        found.sort(key=lambda d: (d["priority"], d["raised"], d["id"]))
    done = [
        {**step.to_json(), "alarm": step.alarm, "twinName": step.doc["twinName"]}
        | {"title": step.doc["title"], "priority": step.doc["priority"]}
        for step in steps
        if step.who not in ("rules", "design", "time")
    ]
    recent = [g for g in groups if begin <= from_iso(g["latest"]) < end]
    summary: dict[str, Any] = figures(steps, live, philosophy, begin, end)
    return {"from": to_iso(begin), "to": to_iso(end), **now, "done": done} | {
        "groups": recent,
        "figures": summary,
    }
