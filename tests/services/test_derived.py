from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput
from gemel.services.rules.compiler import PropertyShape
from gemel.services.rules.derived import DerivedEngine, Formula
from gemel.services.rules.measures import compile_formula, compile_rule
from gemel.services.rules.parser import parse, parse_formula
from gemel.services.rules.whole import Span

SHAPES = {
    "power": PropertyShape("number", "kilowatt"),
    "flow": PropertyShape("number", "cubicMetrePerHour"),
    "temperature": PropertyShape("number", "degreeCelsius"),
    "running": PropertyShape("boolean"),
}
BEGIN = 1_700_000_000
MEMBERS = ("pump-1", "pump-2")
SERIES = {twin: {p: 10 * i + j for j, p in enumerate(SHAPES)} for i, twin in enumerate(MEMBERS)}
OUT = {"line-1": 100, "pump-1": 101, "pump-2": 102}


def kin(twin, _relation):
    return [(who, SERIES[who]) for who in MEMBERS] if twin == "line-1" else []


def compiled(text, unit=""):
    return compile_formula(parse_formula(text), SHAPES, lambda _: SHAPES, unit)


def formula(text, every=1):
    inner, unit = compiled(text)
    return Formula(text, "m", "x", text, unit, inner, every)


def engine_of(*formulas, twins=("line-1",)):
    engine = DerivedEngine(2 * SECOND)
    for one in formulas:
        engine.set_formula(
            one, [(t, SERIES.get(t, {})) for t in twins], [OUT[t] for t in twins], kin
        )
    return engine


def feed(engine, rows):
    """Rows (twin, path, seconds, value, seconds of receipt); what came of them."""
    found = []
    for twin, path, at, value, received in rows:
        columns = (
            np.array([SERIES[twin][path]], np.int64),
            np.array([round((BEGIN + at) * SECOND)], np.int64),
            np.array([float(value)]),
        )
        found += engine.react(*columns, round((BEGIN + received) * SECOND))
    return found


def told(found):
    return [
        (int(s), v.time / SECOND - BEGIN, float(x))
        for v in found
        for s, x in zip(v.series, v.value, strict=True)
    ]


def test_a_sum_over_relatives_has_one_value_for_each_second_with_a_reading() -> None:
    engine = engine_of(formula("sum of power in contains"))
    rows = [("pump-1", "power", 1, 5, 1), ("pump-2", "power", 1.5, 7, 1.5)]
    rows += [("pump-1", "power", 2, 6, 2), ("pump-1", "power", 9, 1, 9)]
    found = feed(engine, rows) + engine.tick((BEGIN + 30) * SECOND)
    assert told(found) == [(100, 1, 5.0), (100, 2, 13.0), (100, 9, 8.0)]


def test_readings_out_of_order_within_the_lateness_give_the_same() -> None:
    rows = [("pump-1", "power", t, t * 3 % 7, t) for t in range(1, 20)]
    shuffled = [(*r[:4], r[4] + (1.5 if i % 3 else 0)) for i, r in enumerate(rows)]
    shuffled.sort(key=lambda r: r[4])
    whole = [
        told(feed(engine, some) + engine.tick((BEGIN + 60) * SECOND))
        for some in (rows, shuffled)
        if (engine := engine_of(formula("sum of power in contains")))
    ]
    assert whole[0] == whole[1]
    assert len(whole[0]) == 19


FORMULAS = (
    "sum of power in contains",
    "worst of power in contains - min of power in contains",
    "mean of (sum of power in contains) over 5 s",
    "count of running in contains",
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(MEMBERS),
            st.sampled_from(("power", "running")),
            st.integers(0, 20),
            st.integers(0, 1),
        ),
        max_size=25,
    ),
    st.integers(0, 25),
    st.sampled_from(FORMULAS),
)
@settings(max_examples=60, deadline=None)
def test_a_restart_changes_nothing_and_a_whole_span_gives_the_same(moves, cut, text) -> None:
    rows = sorted(((w, p, t, v, t) for w, p, t, v in set(moves)), key=lambda r: r[2])
    one = formula(text)
    engine = engine_of(one)
    live = feed(engine, rows) + engine.tick((BEGIN + 60) * SECOND)
    engine = engine_of(one)
    parts = feed(engine, rows[:cut])
    memory = json.loads(json.dumps(engine.snapshot()))
    engine = engine_of(one)
    engine.restore(memory)
    parts += feed(engine, rows[cut:]) + engine.tick((BEGIN + 60) * SECOND)
    assert told(live) == told(parts)

    def read(twin, path):
        mine = sorted({(t, v) for w, p, t, v, _ in rows if (w, p) == (twin, path)})
        times = np.array([(BEGIN + t) * SECOND for t, _ in mine], np.int64)
        return times, np.array([v for _, v in mine], np.float64)

    span = Span(read, BEGIN * SECOND, (BEGIN + 60) * SECOND, lambda t, r: [w for w, _ in kin(t, r)])
    time, value = span.values(one.inner, "line-1")
    whole = [
        (100, t / SECOND - BEGIN, v) for t, v in zip(time.tolist(), value.tolist(), strict=True)
    ]
    assert [(s, t, pytest.approx(v)) for s, t, v in told(live)] == whole


def test_values_are_thinned_to_one_in_so_many_seconds() -> None:
    engine = engine_of(formula("sum of power in contains", every=5))
    rows = [("pump-1", "power", t, t, t) for t in range(1, 13)]
    found = feed(engine, rows) + engine.tick((BEGIN + 60) * SECOND)
    assert [t for _, t, _ in told(found)] == [1, 6, 11, 16]


def test_a_reading_that_comes_too_late_is_told_with_the_twins_that_it_changes() -> None:
    engine = engine_of(formula("power / 2"), twins=MEMBERS)
    feed(engine, [("pump-1", "power", 1, 5, 1), ("pump-1", "power", 20, 5, 20)])
    feed(engine, [("pump-1", "power", 3, 9, 21)])
    (late,) = engine.take_late()
    assert (late.time, late.series) == ((BEGIN + 3) * SECOND, SERIES["pump-1"]["power"])
    assert engine.owners(late.formula, late.series) == ["pump-1"]
    assert engine.take_late() == []


def test_a_formula_is_converted_to_the_unit_that_is_asked_for() -> None:
    inner, unit = compiled("power", "watt")
    assert unit == "watt"
    engine = engine_of(Formula("f", "m", "x", "power", unit, inner), twins=("pump-1",))
    found = feed(engine, [("pump-1", "power", 1, 5, 1)]) + engine.tick((BEGIN + 9) * SECOND)
    assert told(found) == [(101, 1, 5000.0)]
    assert compiled("sum of power in contains")[1] == "kilowatt"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("power + temperature", "cannot add"),
        ("sum of pwer in contains", "no telemetry or property 'pwer'"),
        ("power > 3", "cannot stand here"),
        ("3 + 4", "names no property"),
        ("", "empty"),
    ],
)
def test_a_wrong_formula_is_refused_where_it_is_wrong(text, what) -> None:
    with pytest.raises(InvalidInput, match=what):
        compiled(text)


def test_a_rule_that_names_a_derived_property_computes_its_formula() -> None:
    inner, unit = compiled("power / 2")
    shapes = {**SHAPES, "half": PropertyShape("number", unit, formula=inner)}
    kernel = compile_rule(parse("half > 3 kW and power > 1 kW"), shapes)
    assert kernel.raw_paths == {"power"}
    assert kernel.subject.path == "half@derived"
    assert compile_rule(parse("mean of half over 10 min > 3 kW"), shapes).raw_paths == {"power"}
    with pytest.raises(InvalidInput, match="computed and never sent"):
        compile_rule(parse("no half for 5 min"), shapes)
