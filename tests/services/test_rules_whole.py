from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.batch import make_batch
from gemel.core.clock import SECOND
from gemel.services.rules.engine import RuleEngine
from gemel.services.rules.rule import load_rule
from gemel.services.rules.whole import Span

sys.path.insert(0, str(Path(__file__).parent))
_spec = importlib.util.spec_from_file_location(
    "clocked_rules", Path(__file__).with_name("test_rules_clocked.py")
)
clocked = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(clocked)
BEGIN, END, TWINS, SHAPES = clocked.BEGIN, clocked.END, clocked.TWINS, clocked.SHAPES


def kin_names(twin, relation):
    return [who for who, _ in clocked.kin(twin, relation)]


def own(twin):
    return clocked.OWN.get(twin, {})


def reader(rows):
    def read(twin, path):
        number = clocked.series_of(twin)[path]
        mine = sorted(r[2:4] for r in rows if r[1] == number and r[4] < 128)
        return (
            np.array([t for t, _ in mine], np.int64),
            np.array([v for _, v in mine], np.float64),
        )

    return read


def heard(rows, twin):
    mine = set(clocked.series_of(twin).values())
    return np.array(sorted(r[2] for r in rows if r[1] in mine), np.int64)


def whole(rules, rows, begin, end, delivery=2.0):
    span = Span(reader(rows), begin, end, kin_names, own)
    found = []
    for rule in rules:
        for twin in TWINS:
            outcome = span.judge(rule, twin, heard(rows, twin), delivery)
            found += [
                (rule.id, twin, ("raise", "clear")[i % 2], time)
                for i, time in enumerate(outcome.time.tolist())
            ]
    return sorted(found)


@settings(max_examples=80, deadline=None)
@given(clocked.drawn_readings, clocked.drawn_rules)
def test_a_whole_span_gives_what_the_clocked_engine_gives(drawn, texts):
    rows = clocked.rows_of(drawn)
    engine = clocked.engine_of(texts)
    found = clocked.run(engine, clocked.batches_of(rows, SECOND // 2))
    last = max(r[2] for r in rows)
    lag = next(r[0] for r in sorted(rows) if r[2] == last) - last
    upto = END - clocked.LATENESS * SECOND - 2 * SECOND
    told = [t for t in clocked.told(found) if t[3] <= upto]
    begin = BEGIN - clocked.LATENESS * SECOND
    assert lag >= 0
    assert whole(engine.rules.values(), rows, begin, upto) == told


PLAIN = [
    "a > 5",
    "a > 5 for 3 s",
    "a > 5 deadband 2 for 2 s off for 3 s",
    "a < 3 deadband 1 and b > 4",
    "not (a > 5 deadband 2) or b == 3 for 1 s off for 2 s",
    "on and a >= {limit} for 1500 ms",
]


@settings(max_examples=80, deadline=None)
@given(clocked.drawn_readings, st.lists(st.sampled_from(PLAIN), min_size=1, max_size=3))
def test_a_whole_span_gives_what_the_engine_gives_for_plain_rules(drawn, texts):
    rows = clocked.rows_of(drawn)
    engine = RuleEngine(delivery=1e6)
    for i, text in enumerate(texts):
        document = {"model": "m", "when": text, "parameters": clocked.DEFAULTS}
        rule = load_rule(f"r{i}", document, SHAPES)
        instances = [(twin, clocked.series_of(twin)) for twin in TWINS]
        engine.set_rule(rule, instances, clocked.kin, own)
    found = []
    for time in sorted({r[2] for r in rows}):
        found += engine.react(make_batch([r[1:] for r in rows if r[2] == time], time))
    assert whole(engine.rules.values(), rows, BEGIN, END, 1e6) == clocked.told(found)


def test_silence_decides_where_a_source_sends_on_change():
    rule = load_rule("r", {"model": "m", "when": "a > 5 for 60 s"}, SHAPES, stale_after=30.0)
    a = clocked.series_of("x")["a"]
    b = clocked.series_of("x")["b"]
    rows = [(0, a, BEGIN, 9.0, 0), (0, b, BEGIN + 40 * SECOND, 1.0, 0)]
    rows += [(0, a, BEGIN + 100 * SECOND, 1.0, 0)]
    found = whole([rule], rows, BEGIN, END)
    assert found == [
        ("r", "x", "clear", BEGIN + 100 * SECOND),
        ("r", "x", "raise", BEGIN + 60 * SECOND),
    ]
    assert whole([rule], rows[::2], BEGIN, END) == []


@pytest.mark.parametrize("when", ["a > 5", "mean of a over 10 s > 5", "max of a over 1 min > 8"])
def test_a_span_without_readings_says_nothing(when):
    rule = load_rule("r", {"model": "m", "when": when}, SHAPES)
    assert whole([rule], [], BEGIN, END) == []
