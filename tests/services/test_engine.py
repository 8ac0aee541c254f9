from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core import fast
from gemel.core.batch import Batch, make_batch
from gemel.core.clock import SECOND
from gemel.core.errors import Damaged, NotFound
from gemel.services.rules.compiler import PropertyShape
from gemel.services.rules.engine import RuleEngine
from gemel.services.rules.parser import parse
from gemel.services.rules.rule import load_rule
from gemel.services.rules.text import code_of_json

sys.path.insert(0, str(Path(__file__).parent))
from plain_rules import PlainInstance, PlainRules

BEGIN = 1_700_000_000 * SECOND
NUMBER = PropertyShape("number")
PROPERTIES = {
    "a": NUMBER,
    "b": NUMBER,
    "on": PropertyShape("boolean"),
    "state": PropertyShape("text"),
}
RULES = [
    "a > 5",
    "a > 5 for 3 s",
    "a > 5 deadband 2 for 2 s off for 3 s",
    "a < 3 deadband 1 and b > 4",
    "a < 3 or b >= 6 for 4 s",
    "not (a > 5 deadband 2) for 1 s",
    "a - b > 2 for 2 s off for 1 s",
    "b / a >= 1",
    "on and a >= b deadband 1 for 2 s",
    'state == "fault" for 2 s',
    'state != "ok" or on',
    "-a * 2 + b < -7 off for 2 s",
]
PATHS = tuple(PROPERTIES)
TWINS = ("x", "y")


def rule(when, key="r", **more):
    return load_rule(key, {"model": "m", "when": when}, PROPERTIES, **more)


def series_of(twin):
    first = 3 + len(PATHS) * TWINS.index(twin)
    return {path: first + i for i, path in enumerate(PATHS)}


def engine_of(texts, stale_after=30.0, delivery=2.0):
    engine = RuleEngine(delivery)
    for i, text in enumerate(texts):
        loaded = rule(text, f"r{i}", stale_after=stale_after)
        engine.set_rule(loaded, [(twin, series_of(twin)) for twin in TWINS])
    return engine


def plain_of(texts, stale_after=30.0, delivery=2.0):
    instances = [
        PlainInstance(
            f"r{i}",
            parse(text),
            twin,
            series_of(twin),
            rule(text).kernel.subject.path,
            frozenset(rule(text).kernel.paths),
        )
        for i, text in enumerate(texts)
        for twin in TWINS
    ]
    return PlainRules(instances, stale_after, delivery)


def joined(lists):
    return [item for one in lists for item in one]


def told(transitions):
    return [(t.rule_id, t.twin, t.kind, t.time) for t in transitions]


def told_with_value(transitions):
    values = [t.value if t.text is None else code_of_json(t.text) for t in transitions]
    return [(*row, repr(v)) for row, v in zip(told(transitions), values, strict=True)]


def told_plainly(transitions):
    return [(*t[:4], repr(float(t[4]))) for t in transitions]


readings = st.tuples(
    st.sampled_from(TWINS),
    st.sampled_from(PATHS),
    st.integers(-3, 12),  # seconds against the end of the batch before
    st.integers(0, 8),
    st.sampled_from([0, 0, 0, 0, 64, 128]),
)
batches = st.lists(st.lists(readings, min_size=1, max_size=12), min_size=1, max_size=8)


def built(drawn) -> list[Batch]:
    """Batches whose readings come early, late, doubled, bad and in any order."""
    made, now = [], BEGIN
    for rows in drawn:
        columns, text, latest = [], {}, now
        for i, (twin, path, ahead, value, quality) in enumerate(rows):
            time = now + ahead * SECOND
            latest = max(latest, time)
            number = float(value)
            if path == "on":
                number = float(value % 2)
            if path == "state":
                text[i] = ('"ok"', '"fault"', "null", '"\\u00e4"')[value % 4]
                number = math.nan
            columns.append((series_of(twin)[path], time, number, quality))
        now = latest
        made.append(make_batch(columns, now, text))
    return made


@settings(max_examples=250, deadline=None)
@given(batches, st.lists(st.sampled_from(RULES), min_size=1, max_size=4), st.integers(0, 40))
def test_engine_agrees_with_the_plain_evaluator(drawn, texts, stale_after):
    engine, plain = engine_of(texts, stale_after), plain_of(texts, stale_after)
    for batch in built(drawn):
        assert told_with_value(engine.react(batch)) == told_plainly(plain.react(batch))
        now = batch.received + SECOND
        assert told_with_value(engine.tick(now)) == told_plainly(plain.tick(now))


@pytest.mark.skipif(not fast.IS_COMPILED, reason="nothing is compiled here")
@settings(max_examples=150, deadline=None)
@given(batches, st.lists(st.sampled_from(RULES), min_size=1, max_size=5), st.booleans())
def test_compiled_and_numpy_judge_alike(drawn, texts, is_in_order):
    compiled, plain = engine_of(texts), engine_of(texts)
    for batch in built(drawn):
        if is_in_order:
            batch = batch.take(np.argsort(batch.time, kind="stable"))
        live = [told_with_value(compiled.react(batch)), compiled.snapshot()]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fast, "IS_COMPILED", False)
            assert [told_with_value(plain.react(batch)), plain.snapshot()] == live
        now = batch.received + SECOND
        assert told(compiled.tick(now)) == told(plain.tick(now))


@settings(max_examples=100, deadline=None)
@given(batches, st.lists(st.sampled_from(RULES), min_size=1, max_size=4), st.data())
def test_replayed_and_restored_at_any_cut_give_what_happened_live(drawn, texts, data):
    made = built(drawn)
    live_engine, live = engine_of(texts), []
    cut, memory = data.draw(st.integers(0, len(made))), b""
    for i, batch in enumerate(made):
        if i == cut:
            memory = live_engine.snapshot()
        found = live_engine.react(batch)
        for second in range(data.draw(st.integers(0, 3))):  # ticks that a log does not hold
            found += live_engine.tick(batch.received + second * SECOND)
        live.append(found)
    live.append(live_engine.tick(made[-1].received + 100 * SECOND))

    def follow(engine, from_batch):
        found = [engine.react(batch) for batch in made[from_batch:]]
        found.append(engine.tick(made[-1].received + 100 * SECOND))
        return joined(found)

    def same(one, other):
        assert repr(sorted(one, key=repr)) == repr(sorted(other, key=repr))

    same(follow(engine_of(texts), 0), joined(live))
    if cut < len(made):
        before, after = engine_of(texts), RuleEngine()
        before.restore(memory)
        same(follow(before, cut), joined(live[cut:]))
        after.restore(memory)
        for loaded in engine_of(texts).rules.values():
            after.set_rule(loaded, [(twin, series_of(twin)) for twin in reversed(TWINS)])
        same(follow(after, cut), joined(live[cut:]))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(PATHS[:2]), st.integers(0, 8)), min_size=2, max_size=40),
    st.lists(st.sampled_from(RULES[:9]), min_size=1, max_size=4),
    st.sets(st.integers(1, 39)),
)
def test_readings_in_order_may_be_split_into_batches_anywhere(drawn, texts, cuts):
    rows = [
        (series_of("x")[path], BEGIN + i * SECOND, float(value), 0)
        for i, (path, value) in enumerate(drawn)
    ]

    def run(edges):
        engine = engine_of(texts, delivery=1e6)
        found = []
        for begin, end in zip([0, *edges], [*edges, len(rows)], strict=True):
            found += engine.react(make_batch(rows[begin:end], rows[end - 1][1]))
        return found

    edges = sorted(cut for cut in cuts if cut < len(rows))
    assert run(edges) == run([])


@settings(max_examples=60, deadline=None)
@given(batches, st.lists(st.sampled_from(RULES), min_size=1, max_size=3))
def test_a_batch_replayed_twice_changes_nothing(drawn, texts):
    engine = engine_of(texts, delivery=1e6)
    for batch in built(drawn):
        engine.react(batch)
        assert engine.react(batch) == []


def a_is(value, second, twin="x", quality=0):
    time = BEGIN + second * SECOND
    return make_batch([(series_of(twin)["a"], time, value, quality)], time)


def test_a_transition_tells_rule_version_twin_value_and_series():
    engine = RuleEngine()
    engine.set_rule(rule("a > 5", version=4), [("x", series_of("x"))])
    (found,) = engine.react(a_is(7.5, 0))
    assert (found.rule_id, found.version, found.twin, found.kind) == ("r", 4, "x", "raise")
    assert (found.time, found.value, found.series, found.text) == (BEGIN, 7.5, 3, None)


def test_a_text_that_raises_is_told_as_text():
    engine = RuleEngine()
    engine.set_rule(rule('state == "fault"'), [("x", series_of("x"))])
    batch = make_batch([(series_of("x")["state"], BEGIN, math.nan, 0)], BEGIN, {0: '"fault"'})
    (found,) = engine.react(batch)
    assert found.text == '"fault"'
    assert math.isnan(found.value)


def test_a_new_rule_is_judged_on_what_is_known_already():
    engine = RuleEngine()
    engine.set_rule(rule("a > 100", "other"), [("x", series_of("x"))])
    engine.react(a_is(7, 0))
    engine.set_rule(rule("a > 5", "new"), [("x", series_of("x"))])
    assert told(engine.tick(BEGIN + SECOND)) == [("new", "x", "raise", BEGIN)]
    assert engine.tick(BEGIN + 2 * SECOND) == []


def test_a_changed_title_keeps_the_run_and_a_changed_condition_does_not():
    engine = RuleEngine()
    engine.set_rule(rule("a > 5 for 3 s"), [("x", series_of("x"))])
    engine.react(a_is(7, 0))
    engine.set_rule(rule("a > 5 for 3 s", version=2), [("x", series_of("x"))])
    assert [t.version for t in engine.react(a_is(7, 3))] == [2]
    engine.set_rule(rule("a > 5 for 4 s", version=3), [("x", series_of("x"))])
    assert engine.react(a_is(7, 6)) == []
    assert told(engine.react(a_is(7, 7))) == [("r", "x", "raise", BEGIN + 7 * SECOND)]
    engine.set_rule(rule("a > 6", version=4), [("x", series_of("x"))])
    assert told(engine.tick(BEGIN)) == [("r", "x", "raise", BEGIN + 7 * SECOND + 1)]


def test_twins_that_stay_keep_their_run_when_others_come_and_go():
    engine = RuleEngine()
    engine.set_rule(rule("a > 5 for 3 s"), [("x", series_of("x"))])
    engine.react(a_is(7, 0))
    engine.set_instances("r", [("y", series_of("y")), ("x", series_of("x"))])
    assert told(engine.react(a_is(7, 3))) == [("r", "x", "raise", BEGIN + 3 * SECOND)]
    engine.set_instances("r", [("y", series_of("y"))])
    assert engine.react(a_is(1, 4)) == []
    assert len(engine) == 1


def test_a_dropped_rule_says_nothing_more():
    engine = engine_of(["a > 5"])
    engine.drop_rule("r0")
    engine.drop_rule("r0")
    assert engine.react(a_is(7, 0)) == []
    assert engine.rules == {}


def test_instances_of_an_unknown_rule_are_refused():
    with pytest.raises(NotFound, match="no rule 'r'"):
        RuleEngine().set_instances("r", [])


def test_an_assumed_alarm_clears_without_a_snapshot():
    engine = engine_of(["a > 5"])
    engine.assume_active("r0", {"x": BEGIN})
    assert told(engine.react(a_is(3, 5))) == [("r0", "x", "clear", BEGIN + 5 * SECOND)]
    engine.assume_active("gone", {"x": BEGIN})


def test_a_property_that_never_reported_leaves_the_condition_unknown():
    engine = RuleEngine()
    engine.set_rule(rule("a > 5 and b > 5"), [("x", {"a": 3})])
    assert engine.react(a_is(7, 0)) == []
    engine.set_instances("r", [("x", {"a": 3, "b": 4})])
    batch = make_batch([(4, BEGIN + SECOND, 9.0, 0)], BEGIN + SECOND)
    assert told(engine.react(batch)) == [("r", "x", "raise", BEGIN + SECOND)]


def test_the_time_of_an_instance_never_runs_back():
    engine = engine_of(["a > 5 and b > 5 for 3 s"])

    def told_for(path, second):
        time = BEGIN + second * SECOND
        return told(engine.react(make_batch([(series_of("x")[path], time, 9.0, 0)], BEGIN)))

    assert told_for("a", 10) == []
    assert told_for("b", 5) == []
    assert told_for("b", 9) == []
    assert told_for("b", 12) == []
    assert told_for("b", 13) == [("r0", "x", "raise", BEGIN + 13 * SECOND)]


def test_silence_of_a_living_twin_raises_and_of_a_stale_one_does_not():
    engine = engine_of(["a > 5 for 60 s"], stale_after=30.0)
    engine.react(a_is(7, 0))
    assert engine.tick(BEGIN + 100 * SECOND) == []
    heartbeat = make_batch([(series_of("x")["b"], BEGIN + 101 * SECOND, 1.0, 128)], 0)
    engine.react(heartbeat)
    assert told(engine.tick(BEGIN + 101 * SECOND)) == [("r0", "x", "raise", BEGIN + 60 * SECOND)]


def test_readings_on_their_way_are_waited_for():
    engine = engine_of(["a > 5 for 60 s"], stale_after=90.0, delivery=2.0)
    engine.react(a_is(7, 0))
    assert engine.tick(BEGIN + 61 * SECOND) == []
    assert engine.react(a_is(1, 60)) == []
    assert engine.tick(BEGIN + 65 * SECOND) == []


def test_series_beyond_all_rules_are_passed_over():
    engine = engine_of(["a > 5"])
    time = BEGIN
    batch = make_batch([(900_000, time, 9.0, 0), (3, time, 9.0, 0), (0, time, 9.0, 0)], time)
    assert len(engine.react(batch)) == 1
    assert RuleEngine().react(batch) == []
    assert RuleEngine().tick(time) == []


def test_infinite_and_absent_values_do_not_count():
    engine = engine_of(["a > 5"])
    assert engine.react(a_is(math.inf, 0)) == []
    assert engine.react(a_is(math.nan, 1)) == []


def test_a_long_backfill_costs_no_python_per_reading():
    engine = engine_of(["a > 5 for 3 s off for 3 s"])
    count = 100_000
    batch = Batch(
        np.full(count, 3, np.int32),
        BEGIN + np.arange(count) * SECOND,
        np.where(np.arange(count) < count // 2, 9.0, 1.0),
        np.zeros(count, np.uint8),
        BEGIN + count * SECOND,
    )
    calls = 0

    def count_calls(_frame, event, _argument):
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count_calls)
    try:
        found = engine.react(batch)
    finally:
        sys.setprofile(None)
    assert [t.kind for t in found] == ["raise", "clear"]
    assert calls < 300


@pytest.mark.parametrize(
    "spoil", [lambda d: d[:-1], lambda d: b"", lambda d: d[:30] + b"x" + d[31:]]
)
def test_a_damaged_snapshot_is_refused_and_changes_nothing(spoil):
    engine = engine_of(["a > 5 for 3 s"])
    engine.react(a_is(7, 0))
    with pytest.raises(Damaged, match="snapshot"):
        engine.restore(spoil(engine.snapshot()))
    assert len(engine.react(a_is(7, 3))) == 1


@given(
    st.lists(
        st.one_of(
            st.dictionaries(st.sampled_from("uvwxyz"), st.integers(0, 2), max_size=4),
            st.integers(0, 12),
        ),
        max_size=12,
    )
)
@settings(max_examples=60)
def test_changing_some_instances_is_the_same_as_setting_all(steps):
    """A dictionary gives twins other series (0: none any more); a number is a reading of all."""
    some, every = RuleEngine(), RuleEngine()
    for engine in (some, every):
        for text in ("a > 5 for 3 s", "a > b"):
            engine.set_rule(rule(text, text), [])
    now: dict[str, dict[str, int]] = {}
    for second, step in enumerate(steps):
        if isinstance(step, dict):
            series = {t: {"a": 10 * ord(t) + n, "b": 10 * ord(t)} for t, n in step.items() if n}
            gone = [twin for twin, n in step.items() if not n]
            now = {t: s for t, s in now.items() if t not in gone} | series
            for text in ("a > 5 for 3 s", "a > b"):
                reads, before = some.change_instances(text, list(series.items()), gone)
                was = every.series_read(text)
                every.set_instances(text, list(now.items()))
                assert some.series_read(text) == every.series_read(text)
                assert reads <= some.series_read(text)
                assert before <= was
        else:
            time = BEGIN + second * SECOND
            numbers = range(10 * ord("u"), 10 * ord("z") + 3)
            batch = make_batch([(n, time, float((step + n) % 13), 0) for n in numbers], time)
            assert told(some.react(batch)) == told(every.react(batch))
