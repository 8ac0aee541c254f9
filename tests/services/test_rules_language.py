"""The words about time, relatives and parameters: what they mean, and where they are refused."""

from __future__ import annotations

import numpy as np
import pytest

from gemel.core.batch import make_batch
from gemel.core.clock import SECOND, from_iso
from gemel.core.errors import InvalidInput
from gemel.services.rules.compiler import PropertyShape
from gemel.services.rules.engine import RuleEngine
from gemel.services.rules.features import BUCKETS, Hours, Window
from gemel.services.rules.hours import changes, within
from gemel.services.rules.parser import parse
from gemel.services.rules.rule import load_rule

SHAPES = {
    "temperature": PropertyShape("number", "degreeCelsius"),
    "level": PropertyShape("number", "percent"),
    "flow": PropertyShape("number", "cubicMetrePerHour"),
    "limit": PropertyShape("number", "degreeFahrenheit"),
    "running": PropertyShape("boolean"),
    "state": PropertyShape("text"),
    "odd": PropertyShape("mixed"),
}
NAMES = ("rate", "any", "all", "no", "between", "over", "in", "of", "on", "has", "mean", "min")


def kin(relation):
    return SHAPES if relation.name == "contains" else None


def rule(when, **more):
    return load_rule("r", {"model": "m", "when": when, **more}, SHAPES, kin=kin)


@pytest.mark.parametrize("name", NAMES)
def test_words_of_the_language_are_still_names_of_properties(name):
    shapes = {name: PropertyShape("number"), "b": PropertyShape("boolean")}
    for when in (f"{name} > 5", f"b and {name} < 3 for 2 s", f"{name} - {name} == 2 or not b"):
        found = load_rule("r", {"model": "m", "when": when}, shapes)
        assert name in found.kernel.paths
        assert not found.is_clocked


@pytest.mark.parametrize(
    ("when", "column", "what"),
    [
        ("mean of temperature over 10 min > 3 bar", 35, "'bar' does not fit"),
        ("mean of state over 10 min > 3", 9, "no statistics"),
        ("mean of temperature over 1500 ms > 3", 1, "whole number of seconds"),
        ("mean of nothing over 10 min > 3", 9, "no telemetry or property 'nothing'"),
        ("120th percentile of level over 1 min > 3 %", 1, "between 0 and 100"),
        ("sd of temperature in contains > 3", 1, "relatives have no 'sd'"),
        ("any temperature in feeds > 3", 1, "no relationship 'feeds'"),
        ("any odd in contains > 3", 5, "different units"),
        ("any nothing in contains > 3", 5, "no telemetry or property 'nothing'"),
        ("rate of level > 2 %", 17, "does not fit"),
        ("rate of level > 2 %/m", 17, "does not fit"),
        ("temperature rises by more than 5 bar within 10 min", 32, "does not fit"),
        ("between 25:00 and 18:00", 9, "not a time of day"),
        ("between 08:00 and 18:00 on Foo", 28, "'Foo' cannot stand here"),
        ("between 08:00 and 18:00 in Mars/Base", 28, "no time zone"),
        ("temperature > {unset}", 15, "'{unset}' has no value"),
        ("level > {limit}", 9, "does not fit here: the other side is in %"),
        ("abs(temperature, level) > 3", 1, "takes one value"),
        ("max(temperature, level) > 3", 1, "cannot compare"),
        ("no flow for 5 minutes > 3", 1, "a condition cannot be compared"),
        ("(no flow for 5 minutes) == true", 2, "cannot be compared"),
        ("temperature happens at least 3 times within 1 h", 1, "neither true nor false"),
        ("mean of temperature over 10 min", 1, "neither true nor false"),
        ("temperature > 80 over 5 min", 23, "cannot stand here"),
    ],
)
def test_what_is_wrong_is_pointed_at(when, column, what):
    with pytest.raises(InvalidInput) as caught:
        rule(when)
    assert what in caught.value.message
    assert caught.value.details[0]["column"] == column
    assert caught.value.message.splitlines()[-1].index("^") == column + 1


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"lateness": -1}, "lateness"),
        ({"lateness": True}, "lateness"),
        ({"lateness": 1e9}, "lateness"),
        ({"timeZone": "Nowhere"}, "time zone"),
        ({"timeZone": "../../etc/passwd"}, "time zone"),
        ({"parameters": 3}, "parameters"),
        ({"parameters": {"limit": "much"}}, "'limit' is no number"),
        ({"parameters": {"limit": True}}, "'limit' is no number"),
    ],
)
def test_fields_of_a_rule_that_are_wrong_are_refused(more, what):
    with pytest.raises(InvalidInput, match=what):
        rule("temperature > 3", **more)


def test_a_rate_is_converted_to_the_time_of_its_unit():
    assert rule("rate of level > 60 %/min").kernel.parameters == (1.0,)
    assert rule("rate of temperature > 18 °F/h").kernel.parameters == (pytest.approx(10 / 3600),)
    assert rule("temperature rises by more than 9 °F within 1 h").kernel.parameters == (
        pytest.approx(5),
    )


def test_a_quotient_is_compared_in_a_unit_that_is_one_word():
    shapes = {
        "way": PropertyShape("number", "metre"),
        "volume": PropertyShape("number", "litre"),
        "flow": PropertyShape("number", "cubicMetrePerHour"),
    }

    def limits(when):
        return load_rule("r", {"model": "m", "when": when}, shapes).kernel.parameters

    assert limits("slope of way over 10 s > 0.5 m/s") == (0.5,)
    assert limits("rate of way > 36 km/h") == pytest.approx((10.0,))
    assert limits("rate of volume > 60 l/min") == pytest.approx((1.0,))
    assert limits("rate of volume > flow")[0] == pytest.approx(1_000 / 3_600)
    with pytest.raises(InvalidInput, match="'kg/h' does not fit here"):
        limits("rate of volume > 5 kg/h")


def test_a_parameter_is_converted_from_the_unit_of_the_twin_s_property():
    loaded = rule("temperature > {limit}", parameters={"limit": "353.15 K"})
    assert loaded.kernel.parameters == (pytest.approx(80.0),)
    engine = RuleEngine()
    series = {"x": {"temperature": 1}, "y": {"temperature": 2}}
    own = {"y": {"limit": 212.0}}
    engine.set_rule(loaded, list(series.items()), settings=lambda twin: own.get(twin, {}))
    batch = make_batch([(1, SECOND, 90.0, 0), (2, SECOND, 90.0, 0)], SECOND)
    assert [t.twin for t in engine.react(batch)] == ["x"]
    batch = make_batch([(2, 2 * SECOND, 101.0, 0)], 2 * SECOND)
    assert [t.twin for t in engine.react(batch)] == ["y"]


def test_a_window_has_a_bounded_number_of_whole_buckets():
    for seconds in (1, 7, 59, 60, 61, 600, 3600, 86_400, 86_401):
        window = Window("mean", seconds, 0.5, "a", None)
        assert window.buckets <= BUCKETS
        assert window.buckets * window.bucket >= seconds > (window.buckets - 1) * window.bucket


def hours_of(text):
    node = parse(text).condition
    return Hours(node.begin, node.end, node.days, node.zone)


def seconds(*texts):
    return np.array([from_iso(text) // SECOND for text in texts], np.int64)


def test_hours_follow_the_clock_on_the_wall_over_summer_time():
    hours = hours_of("between 08:00 and 18:00 on Mon-Fri in Europe/Berlin")
    at = seconds(
        "2026-03-27T06:59:59Z",  # Friday, still winter time
        "2026-03-27T07:00:00Z",
        "2026-03-27T16:59:59Z",
        "2026-03-27T17:00:00Z",
        "2026-03-28T10:00:00Z",  # Saturday
        "2026-03-30T05:59:59Z",  # Monday, summer time
        "2026-03-30T06:00:00Z",
    )
    assert within(hours, at).tolist() == [False, True, True, False, False, False, True]
    begin, end = seconds("2026-03-27T00:00:00Z", "2026-03-30T23:00:00Z").tolist()
    expected = seconds(
        "2026-03-27T07:00:00Z",
        "2026-03-27T17:00:00Z",
        "2026-03-30T06:00:00Z",
        "2026-03-30T16:00:00Z",
    )
    assert changes(hours, begin, end).tolist() == expected.tolist()


def test_a_night_belongs_to_the_day_it_began():
    hours = hours_of("between 22:00 and 06:00 on Fri in UTC")
    at = seconds(
        "2026-11-20T05:00:00Z",  # Friday morning
        "2026-11-20T22:00:00Z",
        "2026-11-21T05:59:59Z",
        "2026-11-21T06:00:00Z",
        "2026-11-21T23:00:00Z",
    )
    assert within(hours, at).tolist() == [False, True, True, False, False]


def test_a_reading_later_than_the_lateness_moves_nothing_and_is_noted():
    engine = RuleEngine()
    engine.set_rule(rule("max of level over 10 s > 90 %"), [("x", {"level": 1})])
    for second in range(10):
        engine.react(make_batch([(1, second * SECOND, 50.0, 0)], second * SECOND))
    assert engine.late == {}
    assert engine.react(make_batch([(1, 3 * SECOND + 1, 99.0, 0)], 9 * SECOND)) == []
    assert engine.tick(60 * SECOND) == []
    assert (engine.late["r"].count, engine.late["r"].newest) == (1, 3 * SECOND + 1)
    again = RuleEngine()
    again.restore(engine.snapshot())
    again.set_rule(rule("max of level over 10 s > 90 %"), [("x", {"level": 1})])
    assert again.late == engine.late


def test_recorded_data_is_judged_on_its_own_time():
    engine = RuleEngine()
    engine.set_rule(rule("mean of level over 5 s > 90 %"), [("x", {"level": 1})])
    now = 1_700_000_000 * SECOND
    told = []
    for second in range(20):
        batch = make_batch([(1, (1_000 + second) * SECOND, 95.0, 0)], now + second * SECOND // 50)
        told += engine.react(batch)
    told += engine.tick(now + 60 * SECOND)
    assert [(t.kind, t.time // SECOND) for t in told] == [("raise", 1_000)]


@pytest.mark.parametrize(
    ("also", "most"), [("no level for 1 h", 200), ("between 08:00 and 18:00 on Mon-Fri", 900)]
)
def test_a_year_of_nothing_is_passed_over_quickly(also, most):
    engine = RuleEngine()
    engine.set_rule(rule(f"mean of level over 1 h > 90 % or {also}"), [("x", {"level": 1})])
    engine.react(make_batch([(1, SECOND, 95.0, 0)], SECOND))
    steps = 0
    (clocked,) = engine._clocked.values()
    judge = clocked._judge_second

    def counted(second):
        nonlocal steps
        steps += 1
        return judge(second)

    clocked._judge_second = counted
    engine.tick(366 * 86_400 * SECOND)
    assert 0 < steps < most


def test_a_rule_that_is_changed_from_plain_to_clocked_and_back_leaves_nothing_behind():
    engine = RuleEngine()
    instances = [("x", {"level": 1})]
    engine.set_rule(rule("level > 90 %"), instances)
    assert len(engine.react(make_batch([(1, SECOND, 95.0, 0)], SECOND))) == 1
    engine.set_rule(rule("level > 90 %", lateness=5), instances)
    assert len(engine) == 1
    assert engine.react(make_batch([(1, 2 * SECOND, 95.0, 0)], 2 * SECOND)) == []
    engine.set_rule(rule("level > 90 %"), instances)
    assert len(engine) == 1
    engine.drop_rule("r")
    assert len(engine) == 0
    assert engine.rules == {}


def test_a_relative_that_comes_is_counted_and_one_that_goes_is_not():
    engine = RuleEngine()
    loaded = rule("any level in contains > 90 %")
    series = {"line": {"level": 1}, "a": {"level": 2}, "b": {"level": 3}}
    related = ["a"]

    def kin_of(twin, _relation):
        return [(who, series[who]) for who in related] if twin == "line" else []

    def values(second, a, b):
        rows = [(2, second * SECOND, a, 0), (3, second * SECOND, b, 0)]
        return engine.react(make_batch(rows, second * SECOND))

    engine.set_rule(loaded, [("line", series["line"])], kin_of)
    values(1, 1.0, 99.0)
    assert engine.tick(5 * SECOND) == []
    related.append("b")
    engine.set_rule(loaded, [("line", series["line"])], kin_of)
    values(6, 1.0, 99.0)
    assert [t.kind for t in engine.tick(10 * SECOND)] == ["raise"]
    related.remove("b")
    engine.set_rule(loaded, [("line", series["line"])], kin_of)
    assert [t.kind for t in engine.tick(12 * SECOND)] == ["clear"]


def test_a_long_backlog_is_judged_in_parts_and_nothing_is_lost(monkeypatch):
    when = "max of level over 3 s > 90 %"
    rows = [(1, i * SECOND, 99.0 if i % 40 == 39 else 1.0, 0) for i in range(1, 400)]

    def judged():
        engine = RuleEngine()
        engine.set_rule(rule(when), [("x", {"level": 1})])
        told = engine.react(make_batch(rows, 399 * SECOND))
        calls = 0
        while next(iter(engine._clocked.values())).clock < 500:
            told += engine.tick(502 * SECOND)
            late = make_batch([(1, 450 * SECOND, 99.0, 0)], 502 * SECOND)
            told += engine.react(late)
            calls += 1
        return [(t.kind, t.time) for t in told], calls

    whole, once = judged()
    monkeypatch.setattr("gemel.services.rules.clock.LEAST_STEPS", 1)
    monkeypatch.setattr("gemel.services.rules.clock.MOST_STEPS", 7)
    parts, calls = judged()
    assert parts == whole
    assert (once, len(whole)) == (1, 19)
    assert calls > 20
