"""Twins whose readings come late and in order are judged in their own time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gemel.core.batch import make_batch
from gemel.core.clock import SECOND
from gemel.services.rules.engine import RuleEngine
from services.test_rules_clocked import BEGIN, OWN, SHAPES, kin, rule, series_of, told

RULES = [
    "mean of a over 10 s > 4",
    "mean of a over 3 s > 4 deadband 1 for 2 s off for 3 s",
    "sd of a over 8 s > 2 and b > 3",
    "min of a over 5 s > 3 or max of b over 5 s < 3",
    "median of a over 12 s >= 4",
    "90th percentile of a over 130 s > 5",
    "slope of a over 6 s > 0.5",
    "range of a over 150 s > 6",
    "a rises by more than 4 within 5 s",
    "count of a over 10 s >= 4",
    "(a > 5) happens at least 2 times within 20 s",
    "on happens at least 2 times within 130 s off for 3 s",
    "max of (a - b) over 7 s > 5",
    "a > {limit} and not no b for 5 s",
    "abs(a - b) > 4 and max(a, b, 2) < 7 and mean of b over 4 s > 1",
    "a > 4 for 3 s",
    "a > 4 for 20 s off for 10 s",
    "a > 6 or b > 6 off for 4 s",
]
TWINS = ("x", "y")


class Bench:
    """An engine with a history, as the platform has them; a second at a time."""

    def __init__(self, texts, twins=TWINS):
        self.engine = RuleEngine(is_caught_up=True)
        for i, text in enumerate(texts):
            instances = [(twin, series_of(twin)) for twin in twins]
            self.engine.set_rule(rule(text, f"r{i}"), instances, kin, lambda t: OWN.get(t, {}))
        self.rows = {}
        self.found = []

    def take(self, rows, received):
        """(series, time, value) of one batch."""
        for series, time, value in rows:
            self.rows.setdefault(series, {})[time] = value
        batch = make_batch([(s, t, v, 0) for s, t, v in rows], received)
        self.found += self.engine.react(batch)

    def tick(self, now):
        self.found += self.engine.tick(now)

    def read(self, series, begin, end):
        rows = sorted((t, v) for t, v in self.rows.get(series, {}).items() if begin <= t < end)
        return np.array([t for t, _ in rows], np.int64), np.array([v for _, v in rows], float)

    def last(self, series, at):
        return max(((t, v) for t, v in self.rows.get(series, {}).items() if t <= at), default=None)

    def catch_up(self, now):
        for one in self.engine.behind(now):
            one.judge(self.read, self.last)
            self.found += self.engine.caught_up(one, self.read, {})

    def columns(self):
        """What is held of each series and computed value, by name."""
        found = {}
        for engine in self.engine._clocked.values():
            layout = engine._layout
            for key, column in [*layout.series.items(), *layout.computed.items()]:
                found[key] = engine._state.value[column]
        return found

    def active(self):
        engines = self.engine._clocked.values()
        return {
            (members.rule.id, twin): bool(members.active[row])
            for engine in engines
            for members in engine.members()
            for row, twin in enumerate(members.twins)
        }


def at(second):
    return BEGIN + round(second * SECOND)


def lived(texts, rows, outage, *, link="up", twins=TWINS, end=300):
    """Twin x is on time; y is cut off in the outage and sends what it kept when that is over."""
    bench = Bench(texts, twins)
    kept, first = [], True
    for second in range(end):
        now = at(second + 1)
        for twin in ("x", "y"):
            new = [
                (series_of(twin)[path], time, value)
                for (who, path, time), value in sorted(rows.items(), key=lambda r: r[0][2])
                if who == twin and at(second) <= time < now
            ]
            if twin == "y" and link == "cut" and outage[0] <= second < outage[1]:
                kept += new
                continue
            if twin == "y" and kept:
                size = max(1, len(kept) // 3)
                for i in range(0, len(kept), size):
                    bench.take(kept[i : i + size], now)
                kept = []
            if new or first:
                bench.take(new, now)
            first = False
        bench.tick(now)
        if second % 5 == 0:
            bench.catch_up(now)
    return bench


def history(rng):
    """{(twin, path, time): value}; both twins say something every second."""
    found = {}
    for twin in TWINS:
        level = 3.0
        for second in range(290):
            if rng.random() < 0.03:
                level = float(rng.integers(0, 9))
            for path in SHAPES:
                if path == "a" or rng.random() < 0.4:
                    value = min(max(level + float(rng.integers(-1, 2)), 0.0), 9.0)
                    value = float(value > 4) if path == "on" else value
                    found[twin, path, at(second + 0.1 + 0.2 * rng.integers(0, 4))] = value
    return found


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.integers(0, 2**32 - 1), st.sampled_from(RULES))
def test_a_backlog_in_order_is_judged_as_if_it_had_come_in_time(seed, text):
    rng = np.random.default_rng(seed)
    rows, begin, length = history(rng), int(rng.integers(20, 120)), int(rng.integers(4, 100))
    expected = lived([text], rows, (begin, begin + length))
    found = lived([text], rows, (begin, begin + length), link="cut")
    assert not any(len(engine.behind) for engine in found.engine._clocked.values())
    doubts = found.engine.belated.take()
    columns = found.columns()
    for key, value in expected.columns().items():
        assert columns[key] == pytest.approx(value, nan_ok=True, abs=1e-6), key
    assert found.active() == expected.active()
    own = [t for t in told(found.found) if t[1] == "x"]
    assert own == [t for t in told(expected.found) if t[1] == "x"]

    def of_y(bench):
        return sorted((t.time, t.kind) for t in bench.found if t.twin == "y")

    silent = [t for t in of_y(found) if t not in of_y(expected)]
    lost = [t for t in of_y(expected) if t not in of_y(found)]
    assert all(one.readings == 0 for one in doubts)
    if not doubts:  # nothing was told while it was silent, so nothing had to be taken back
        assert not lost
        assert not silent
    assert len({time for time, _ in of_y(found)}) == len(of_y(found))
    kinds = [kind for _, kind in of_y(found)]
    assert kinds == ["raise", "clear"] * (len(kinds) // 2) + ["raise"] * (len(kinds) % 2)
    after = at(begin + length + 15)
    assert [t for t in of_y(found) if t[0] > after] == [t for t in of_y(expected) if t[0] > after]


def one_path(twin, values, path="a"):
    return {(twin, path, at(second + 0.5)): value for second, value in values}


def test_a_delay_is_counted_in_a_twins_own_time():
    rows = one_path("x", [(s, 1.0) for s in range(290)])
    rows |= one_path("y", [(s, 9.0 if 100 <= s < 140 else 1.0) for s in range(290)])
    found = lived(["a > 5 for 20 s", "mean of a over 10 s > 5"], rows, (60, 200), link="cut")
    expected = lived(["a > 5 for 20 s", "mean of a over 10 s > 5"], rows, (60, 200))
    assert told(found.found) == told(expected.found)
    assert [t[1:3] for t in told(found.found)] == [("y", "clear"), ("y", "raise")] * 2


def test_silence_is_told_when_it_is_and_ends_with_the_backlog():
    rows = one_path("x", [(s, 1.0) for s in range(290)]) | one_path(
        "y", [(s, 1.0) for s in range(290)]
    )
    found = lived(["no a for 30 s"], rows, (60, 200), link="cut")
    (raised, cleared) = [t for t in found.found if t.twin == "y"]
    assert (raised.kind, cleared.kind) == ("raise", "clear")
    assert raised.time == at(90)
    assert cleared.time == at(91)  # it had not been silent: its readings were on the way
    (doubt,) = found.engine.belated.take()
    assert (doubt.rule, doubt.twin, doubt.readings) == ("r0", "y", 0)
    assert doubt.begin <= at(90)


def test_relatives_take_the_newest_that_is_known():
    rows = one_path("x", [(s, 1.0) for s in range(290)])
    rows |= one_path("y", [(s, 1.0 if s < 150 else 9.0) for s in range(195)])
    texts = ["any a in contains > 5"]
    found = lived(texts, rows, (60, 200), link="cut", twins=("line", "x", "y"))
    (raised,) = [t for t in found.found if t.twin == "line"]
    assert raised.kind == "raise"
    assert raised.time > at(195)  # once it is known; since when it is so is said by what is noted
    (noted,) = found.engine.belated.take()
    assert (noted.rule, noted.twin, len(noted)) == ("r0", "line", 135)


@pytest.mark.parametrize("slow", [40, 86_400, 365 * 86_400])
def test_a_slow_clock_silences_nobody_and_is_judged_by_itself(slow):
    texts = ["a > 5 for 10 s", "mean of a over 10 s > 5", "no a for 30 s"]
    bench = Bench(texts)
    for second in range(200):
        value = 9.0 if 100 <= second < 150 else 1.0
        now = at(second + 1)
        bench.take([(series_of("x")["a"], at(second + 0.5), value)], now)
        bench.take([(series_of("y")["a"], at(second + 0.5 - slow), value)], now)
        bench.tick(now)
        if second % 5 == 0:
            bench.catch_up(now)
    times = {twin: [] for twin in TWINS}
    for t in bench.found:
        times[t.twin].append((t.rule_id, t.kind, t.time + (slow * SECOND if t.twin == "y" else 0)))
    assert sorted(times["x"]) == sorted(times["y"])
    assert len(times["x"]) == 4
    for second in range(200, 250):  # and silence too, by its own clock
        now = at(second + 1)
        bench.take([(series_of("x")["a"], at(second + 0.5), 1.0)], now)
        bench.tick(now)
        if second % 5 == 0:
            bench.catch_up(now)
    (raised,) = [t for t in bench.found if t.rule_id == "r2"]
    assert (raised.twin, raised.kind, raised.time) == ("y", "raise", at(200 - slow + 30))


def test_what_stands_still_outlives_a_restart():
    texts = ["a > 5 for 20 s", "median of a over 12 s > 5"]
    rows = one_path("y", [(s, 9.0 if 100 <= s < 140 else 1.0) for s in range(60, 200)])
    bench = Bench(texts)
    for second in range(200):
        bench.take([(series_of("x")["a"], at(second + 0.5), 1.0)], at(second + 1))
        if second < 60:
            bench.take([(series_of("y")["a"], at(second + 0.5), 1.0)], at(second + 1))
    late = [(series_of("y")["a"], time, value) for (_, _, time), value in rows.items()]
    bench.take(late, at(200))
    again = Bench(texts)
    again.rows = bench.rows
    again.engine.restore(bench.engine.snapshot())
    for one in (bench, again):
        for second in range(200, 206):
            one.take([(series_of("x")["a"], at(second + 0.5), 1.0)], at(second + 1))
        one.catch_up(at(206))
    assert told(again.found) == told(bench.found)
    assert [t.time for t in bench.found if t.rule_id == "r0"] == [at(121), at(141)]


def test_a_restart_while_it_is_judged_judges_it_again():
    bench = Bench(["a > 5 for 20 s"])
    for second in range(200):
        bench.take([(series_of("x")["a"], at(second + 0.5), 1.0)], at(second + 1))
    kept = [(at(s + 0.5), 9.0 if s >= 100 else 1.0) for s in range(150)]
    bench.take([(series_of("y")["a"], time, value) for time, value in kept], at(200))
    found = bench.engine.behind(at(200))
    assert len(found) == 1
    again = Bench(["a > 5 for 20 s"])
    again.rows = bench.rows
    again.engine.restore(bench.engine.snapshot())
    again.engine.assume_active("r0", {"y": at(121)})  # as it was told before a crash
    again.catch_up(at(200))
    assert [(t.twin, t.kind, t.time) for t in again.found] == [("y", "raise", at(121))]


def test_a_rule_that_is_changed_meanwhile_is_not_told_of():
    bench = Bench(["a > 5"])
    for second in range(100):
        bench.take([(series_of("x")["a"], at(second + 0.5), 1.0)], at(second + 1))
    bench.take([(series_of("y")["a"], at(s + 0.5), 9.0) for s in range(50)], at(100))
    found = bench.engine.behind(at(100))
    for one in found:
        one.judge(bench.read, bench.last)
    bench.engine.drop_rule("r0")
    assert [t for one in found for t in bench.engine.caught_up(one, bench.read, {})] == []
