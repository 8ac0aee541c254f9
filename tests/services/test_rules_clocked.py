from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.batch import make_batch
from gemel.core.clock import SECOND
from gemel.services.rules.compiler import PropertyShape
from gemel.services.rules.engine import RuleEngine
from gemel.services.rules.measures import compile_formula
from gemel.services.rules.parser import parse, parse_formula
from gemel.services.rules.rule import load_rule

sys.path.insert(0, str(Path(__file__).parent))
from rules_plain_clocked import PlainClocked, World

START = 1_700_006_340  # 23:59:00 UTC on a Tuesday
BEGIN = START * SECOND
LATENESS = 2
NUMBER = PropertyShape("number")
SHAPES = {"a": NUMBER, "b": NUMBER, "on": PropertyShape("boolean")}
TWINS = ("line", "x", "y")
RELATIVES = {
    ("line", "contains", False): ["x", "y"],
    ("x", "contains", True): ["line"],
    ("y", "contains", True): ["line"],
}
OWN = {"x": {"limit": 3.0}}
DEFAULTS = {"limit": 5.0}
RULES = [
    "mean of a over 10 s > 4",
    "mean of a over 3 s > 4 deadband 1 for 2 s off for 3 s",
    "sd of a over 8 s > 2 and b > 3",
    "min of a over 5 s > 3 or max of b over 5 s < 3",
    "median of a over 12 s >= 4",
    "90th percentile of a over 130 s > 5",
    "slope of a over 6 s > 0.5",
    "rate of a > 0.1 for 2 s",
    "range of a over 150 s > 6",
    "a rises by more than 4 within 5 s",
    "a falls by more than 4 within 125 s off for 4 s",
    "no a for 4 s",
    "no a for 3 s and on",
    "count of a over 10 s >= 4",
    "sum of on over 10 s > 2",
    "(a > 5) happens at least 2 times within 20 s",
    "on happens at least 2 times within 130 s off for 3 s",
    "any a in contains > 6",
    "all a in contains > 2 deadband 1 for 2 s",
    "none a in contains > 6 deadband 2",
    "at least 2 of a in contains > 4",
    "at most 1 of a in contains > 4 for 3 s",
    "any twin in contains has (a > 4 and on)",
    "any a in incoming contains > 6",
    "mean of a in contains > 4",
    "sum of a in contains - a > 3",
    "range of b in contains > 5 and count of on in contains >= 1",
    "mean of (sum of a in contains) over 6 s > 8",
    "max of (a - b) over 7 s > 5",
    "any twin in contains has (mean of a over 5 s > 4) for 1500 ms",
    "between 00:00 and 00:01 on Wed and a > 2",
    "not between 23:59 and 00:01 on Tue",
    "a > {limit} and no b for 5 s",
    "abs(a - b) > 4 and max(a, b, 2) < 7 and mean of b over 4 s > 1",
    "a > 4 for 3 s",
    "a > 6 or b > 6 off for 4 s",
]
TOTAL, _ = compile_formula(parse_formula("sum of a in contains"), SHAPES, lambda _: SHAPES, "")
WITH_TOTAL = {**SHAPES, "total": PropertyShape("number", formula=TOTAL)}
NAMING_DERIVED = [
    "total > 9 for 3 s",
    "mean of total over 10 s > 8 and b > 1",
    "total rises by more than 3 within 12 s",
    "(total > 8) happens at least 2 times within 40 s",
    "any twin in incoming contains has (total > 9) off for 2 s",
]


def rule(when, key):
    document = {"model": "m", "when": when, "parameters": DEFAULTS, "lateness": LATENESS}
    return load_rule(key, document, WITH_TOTAL, kin=lambda _: WITH_TOTAL, stale_after=8.0)


def series_of(twin):
    first = 2 + len(SHAPES) * TWINS.index(twin)
    return {path: first + i for i, path in enumerate(SHAPES)}


def kin(twin, relation):
    found = RELATIVES.get((twin, relation.name, relation.is_incoming), [])
    return [(who, series_of(who)) for who in found]


def engine_of(texts, backwards=False):
    engine = RuleEngine()
    twins = reversed(TWINS) if backwards else TWINS
    instances = [(twin, series_of(twin)) for twin in twins]
    for i, text in sorted(enumerate(texts), reverse=backwards):
        engine.set_rule(rule(text, f"r{i}"), instances, kin, lambda twin: OWN.get(twin, {}))
    return engine


one_reading = st.tuples(
    st.sampled_from(TWINS),
    st.sampled_from(tuple(SHAPES)),
    st.integers(0, 90 * 4),  # quarters of a second after the begin
    st.integers(0, 9),
    st.integers(0, 5),  # quarters of a second on the way
    st.sampled_from([0, 0, 0, 0, 0, 128]),
)
drawn_readings = st.lists(one_reading, min_size=1, max_size=60)
drawn_rules = st.lists(st.sampled_from(RULES), min_size=1, max_size=4)
any_rules = st.lists(st.sampled_from(RULES + NAMING_DERIVED * 3), min_size=1, max_size=4)


def rows_of(drawn):
    """(arrival, series, time, value, quality); one value a series and time."""
    found = {}
    for twin, path, at, value, way, quality in drawn:
        time = BEGIN + at * SECOND // 4
        value = float(value % 2 if path == "on" else value)
        found.setdefault((twin, path, time), (time + way * SECOND // 4, value, quality))
    rows = [(BEGIN, series_of("y")["on"], BEGIN, 0.0, 128)]
    return rows + [
        (arrival, series_of(twin)[path], time, value, quality)
        for (twin, path, time), (arrival, value, quality) in found.items()
    ]


def batches_of(rows, every):
    """Batches in order of arrival, of the arrivals of a span of time each."""
    rows = sorted(rows)
    found, i = [], 0
    while i < len(rows):
        end = rows[i][0] + every
        part = [row for row in rows[i:] if row[0] <= end]
        found.append(make_batch([row[1:] for row in part], part[-1][0]))
        i += len(part)
    return found


def told(transitions):
    return sorted((t.rule_id, t.twin, t.kind, t.time) for t in transitions)


END = BEGIN + 250 * SECOND


def run(engine, batches, ticks=()):
    found = []
    for batch in batches:
        found += engine.react(batch)
        for part in ticks:
            found += engine.tick(batch.received + part)
    return found + engine.tick(END)


@settings(max_examples=60, deadline=None)
@given(drawn_readings, drawn_rules)
def test_engine_agrees_with_the_plain_evaluator(drawn, texts):
    rows = rows_of(drawn)
    readings = {}
    for _, series, time, value, quality in rows:
        twin = TWINS[(series - 2) // len(SHAPES)]
        path = tuple(SHAPES)[(series - 2) % len(SHAPES)]
        if quality < 128:
            readings.setdefault(twin, {}).setdefault(path, []).append((time, value))
    world = World(readings, RELATIVES, OWN, DEFAULTS, START - LATENESS)
    plain = PlainClocked(world)
    expected = []
    for i, text in enumerate(texts):
        expression = parse(text)
        if not rule(text, "r").kernel.features:
            continue  # a plain rule also listens to bad readings: see below
        for twin in TWINS:
            for kind, second in plain.run(expression, twin, END // SECOND - LATENESS):
                expected.append((f"r{i}", twin, kind, second * SECOND))
    found = run(engine_of(texts), batches_of(rows, SECOND // 2))
    found = [t for t in found if rule(texts[int(t.rule_id[1:])], "r").kernel.features]
    assert told(found) == sorted(expected)


@settings(max_examples=60, deadline=None)
@given(drawn_readings, any_rules, st.data())
def test_order_of_arrival_within_the_lateness_changes_nothing(drawn, texts, data):
    rows = rows_of(drawn)
    in_order = sorted((time, *rest) for _, *rest in rows for time in [rest[1]])
    ordered = run(engine_of(texts), batches_of(in_order, 0))
    shuffled = run(engine_of(texts), batches_of(rows, data.draw(st.integers(0, SECOND // 5))))
    again = [(arrival + SECOND // 9, *rest) for arrival, *rest in rows[1:]]
    doubled = run(engine_of(texts), batches_of(rows + again, 0), [0, SECOND // 10])
    assert told(ordered) == told(shuffled) == told(doubled)


@settings(max_examples=50, deadline=None)
@given(drawn_readings, any_rules, st.data())
def test_replayed_and_restored_at_any_cut_give_what_happened_live(drawn, texts, data):
    batches = batches_of(rows_of(drawn), SECOND // 2)
    live = engine_of(texts)
    cut = data.draw(st.integers(0, len(batches) - 1))
    before, memory = [], b""
    found = []
    for i, batch in enumerate(batches):
        found += live.react(batch)
        if data.draw(st.booleans()):
            found += live.tick(batch.received + data.draw(st.integers(0, 1)) * SECOND // 8)
        if i == cut:
            before, memory = list(found), live.snapshot()
    found += live.tick(END)
    assert told(run(engine_of(texts), batches)) == told(found)

    rules_first, rules_last = engine_of(texts), RuleEngine()
    rules_first.restore(memory)
    rules_last.restore(memory)
    for key, loaded in engine_of(texts).rules.items():
        assert key == loaded.id
        rules_last.set_rule(
            loaded,
            [(twin, series_of(twin)) for twin in reversed(TWINS)],
            kin,
            lambda twin: OWN.get(twin, {}),
        )
    for engine in (rules_first, rules_last):
        assert told(before + run(engine, batches[cut + 1 :])) == told(found)
