from __future__ import annotations

import numpy as np
import pytest

from gemel.core.errors import InvalidInput
from gemel.services.rules.compiler import PropertyShape, Subject
from gemel.services.rules.measures import compile_rule
from gemel.services.rules.parser import MOST_WORDS, parse
from gemel.services.rules.rule import Action, load_rule
from gemel.services.rules.text import code_of_json, code_of_value

PROPERTIES = {
    "temperature": PropertyShape("number", "degreeCelsius"),
    "outside": PropertyShape("number", "degreeFahrenheit"),
    "bearing.temperature": PropertyShape("number", "kelvin"),
    "flow": PropertyShape("number", "cubicMetrePerHour"),
    "demand": PropertyShape("number", "litrePerSecond"),
    "pressure": PropertyShape("number", "bar"),
    "count": PropertyShape("number"),
    "running": PropertyShape("boolean"),
    "label": PropertyShape("text"),
    "state": PropertyShape("enumeration", values={"ok": "ok", "fault": "FAULT"}),
    "mode": PropertyShape("enumeration", values={"off": 0, "auto": 1}),
}


def judged(when, **values):
    """(holds, is over) of a rule on one instance; names with __ for a dot."""
    kernel = compile_rule(parse(when), PROPERTIES)
    known = {name.replace("__", "."): value for name, value in values.items()}
    column = np.array([[known.get(path, np.nan)] for path in kernel.paths], np.float64)
    parameters = np.array(kernel.parameters, np.float64).reshape(-1, 1)
    holds, is_over = kernel.evaluate(column, parameters)
    return bool(holds[0]), bool(is_over[0])


HOLDS, OVER, NEITHER = (True, False), (False, True), (False, False)


@pytest.mark.parametrize(
    ("when", "values", "result"),
    [
        ("temperature > 80 °C", {"temperature": 80.1}, HOLDS),
        ("temperature > 80 °C", {"temperature": 80.0}, OVER),
        ("temperature > 80", {"temperature": 80.1}, HOLDS),
        ("temperature > 353.15 K", {"temperature": 80.1}, HOLDS),
        ("temperature > 353.15 K", {"temperature": 79.9}, OVER),
        ("bearing.temperature > 80 °C", {"bearing__temperature": 353.2}, HOLDS),
        ("bearing.temperature > 80 °C", {"bearing__temperature": 353.1}, OVER),
        ("80 °C < outside", {"outside": 176.1}, HOLDS),
        ("80 °C < outside", {"outside": 175.9}, OVER),
        ("outside > temperature", {"outside": 50.1, "temperature": 10}, HOLDS),
        ("outside > temperature", {"outside": 49.9, "temperature": 10}, OVER),
        ("temperature - outside > 5 K", {"temperature": 15.1, "outside": 50}, HOLDS),
        ("temperature - outside > 5 K", {"temperature": 14.9, "outside": 50}, OVER),
        ("outside - temperature > 5 °C", {"temperature": 10, "outside": 59.1}, HOLDS),
        ("outside - temperature > 5 °C", {"temperature": 10, "outside": 58.9}, OVER),
        (
            "temperature - outside > outside - temperature",
            {"temperature": 5, "outside": 50},
            OVER,
        ),
        ("outside + 9 °F > 59", {"outside": 50.1}, HOLDS),
        ("outside + 5 °C > 59", {"outside": 49.9}, OVER),
        ("outside - 5 K > 41 °F", {"outside": 50.1}, HOLDS),
        ("80 °C - temperature < 5 °C", {"temperature": 75.1}, HOLDS),
        ("(temperature + outside) / 2 > 10 °C", {"temperature": 11, "outside": 50}, HOLDS),
        ("flow < 3 L/s", {"flow": 10.7}, HOLDS),
        ("flow < 3 L/s", {"flow": 10.9}, OVER),
        ("flow < demand", {"flow": 10.7, "demand": 3}, HOLDS),
        ("flow / demand > 0.5", {"flow": 7.2, "demand": 3}, HOLDS),
        ("flow / demand > 0.7", {"flow": 7.2, "demand": 3}, OVER),
        ("flow / demand > 0.7", {"flow": 7.2, "demand": 0}, NEITHER),
        ("flow * pressure > 10", {"flow": 3, "pressure": 4}, HOLDS),
        ("2 * flow > 3 L/s", {"flow": 5.5}, HOLDS),
        ("-flow < -3 L/s", {"flow": 10.9}, HOLDS),
        ("count * 2 + 1 >= 5", {"count": 2}, HOLDS),
        ("count != 2", {"count": 2}, OVER),
        ("count != 2", {"count": 3}, HOLDS),
        ("count != 2", {}, NEITHER),
        ("count == 2", {}, NEITHER),
        ("not count == 2", {}, NEITHER),
        ("running", {"running": 1}, HOLDS),
        ("not running", {"running": 0}, HOLDS),
        ("running == false", {"running": 0}, HOLDS),
        ("count > 1 or flow > 1", {"count": 2}, HOLDS),
        ("count > 1 and flow > 1", {"count": 0}, OVER),
        ("count > 1 and flow > 1", {"count": 2}, NEITHER),
        ("count > 1 or flow > 1", {"count": 0}, NEITHER),
        ('label == "a"', {"label": code_of_json('"a"')}, HOLDS),
        ('label != "a"', {"label": code_of_json('"\\u0061"')}, OVER),
        ('state == "fault"', {"state": code_of_json('"FAULT"')}, HOLDS),
        ('state == "FAULT"', {"state": code_of_json('"FAULT"')}, HOLDS),
        ('mode == "auto"', {"mode": code_of_json("1")}, HOLDS),
        ("mode == 1", {"mode": 1.0}, HOLDS),
        ("mode != 1", {"mode": 0.0}, HOLDS),
    ],
)
def test_conditions_are_judged(when, values, result):
    assert judged(when, **values) == result


@pytest.mark.parametrize(
    ("when", "values", "result"),
    [
        ("temperature > 80 °C deadband 2 °C", {"temperature": 79}, NEITHER),
        ("temperature > 80 °C deadband 2 °C", {"temperature": 78}, OVER),
        ("temperature > 80 °C deadband 3.6 °F", {"temperature": 78.1}, NEITHER),
        ("outside < 50 °F deadband 5 K", {"outside": 58.9}, NEITHER),
        ("outside < 50 °F deadband 5 K", {"outside": 59}, OVER),
        ("80 °C < temperature deadband 2 °C", {"temperature": 79}, NEITHER),
        ("80 °C < temperature deadband 2 °C", {"temperature": 77.9}, OVER),
        ("not (count > 5 deadband 2)", {"count": 5}, HOLDS),
        ("not (count > 5 deadband 2)", {"count": 7}, NEITHER),
        ("not (count > 5 deadband 2)", {"count": 7.1}, OVER),
        ("count > 5 deadband 2 and flow > 1", {"count": 4, "flow": 0}, OVER),
        ("count > 5 deadband 2 or flow > 1", {"count": 4, "flow": 0}, NEITHER),
    ],
)
def test_a_deadband_holds_an_alarm_until_it_is_left(when, values, result):
    assert judged(when, **values) == result


@pytest.mark.parametrize(
    ("when", "column", "what", "expected"),
    [
        ("temprature > 80 °C", 1, "no telemetry or property 'temprature'", "one of: temperature"),
        ("temperature > 80 °X", 18, "no unit '°X'", ""),
        ("temperature > 80 bar", 15, "'bar' does not fit here: the other side is in °C", "°C"),
        ("count > 80 °C", 9, "a plain number without a unit", "a plain number"),
        ("temperature > pressure", 13, "cannot compare in °C and in bar", "one dimension"),
        ("temperature + pressure > 1", 13, "cannot add", "one dimension"),
        ("temperature - 3 bar > 1", 15, "does not fit", "°C"),
        ("flow * pressure > 3 kW", 19, "does not fit", ""),
        ("3 > 2", 1, "names no property", ""),
        ("count > 1 and 3 > 2", 15, "two fixed numbers", "a property"),
        ("count", 1, "neither true nor false", "a comparison"),
        ("not count + 1", 5, "neither true nor false", ""),
        ('label > "a"', 7, "compares numbers", "== or !="),
        ("label == 3", 7, "cannot compare a number with a text", "one kind"),
        ("running == 1", 9, "cannot compare a boolean with a number", ""),
        ("label + 1 > 2", 1, "'label' is a text, not a number", ""),
        ("(count > 1) == true", 2, "a condition cannot be compared", ""),
        ("(count > 1) + 1 > 2", 2, "a number must stand here", ""),
        ('state == "broken"', 10, "'state' never has this value", '"ok", "fault"'),
        ("mode == 7", 9, "'mode' never has this value", '"off", "auto"'),
        ("state == true", 7, "cannot compare", ""),
        ("count == 2 deadband 1", 21, "'==' has no deadband", "> >= < or <="),
        ("count > 2 deadband 0", 20, "more than 0", ""),
        ("temperature > 2 deadband 1 bar", 26, "does not fit", ""),
        ('label == "a" deadband 1', 23, "only numbers", ""),
    ],
)
def test_what_does_not_fit_the_model_is_refused_where_it_stands(when, column, what, expected):
    with pytest.raises(InvalidInput) as caught:
        compile_rule(parse(when, "r"), PROPERTIES)
    assert what in caught.value.message
    assert caught.value.details[0]["column"] == column
    assert expected in caught.value.details[0]["expected"]


@pytest.mark.parametrize(
    ("when", "subject"),
    [
        ("running and temperature > 353.15 K", Subject("temperature", "degreeCelsius", 80.0)),
        ("flow - demand > 1", Subject("flow", "cubicMetrePerHour", None)),
        ('count > 1 or state == "fault"', Subject("count", "", 1.0)),
        ('state == "fault"', Subject("state", "", "fault", False)),
        ("running == false", Subject("running", "", False, False)),
        ("not running", Subject("running", "", None, False)),
    ],
)
def test_an_alarm_shows_the_property_its_rule_is_about(when, subject):
    found = compile_rule(parse(when), PROPERTIES)
    assert found.subject.limit == pytest.approx(subject.limit)
    assert (found.subject.path, found.subject.unit, found.subject.is_number) == (
        subject.path,
        subject.unit,
        subject.is_number,
    )
    assert found.paths[0] == subject.path


def test_rules_that_differ_in_numbers_share_a_shape_and_others_do_not():
    def shape(when):
        return compile_rule(parse(when), PROPERTIES).shape

    assert shape("temperature > 80 °C for 5 min") == shape("pressure > 3 bar")
    assert shape("temperature > 80 °C") != shape("temperature >= 80 °C")
    assert shape("count > 1") != shape("count > 1 deadband 1")


def test_the_deepest_allowed_rule_compiles():
    text = " and ".join(["count > 1"] * (MOST_WORDS // 8)) + " and " + "not " * 100 + "running"
    assert compile_rule(parse(text), PROPERTIES).paths == ("count", "running")
    deep = "(" * 100 + "count" + ")" * 100 + " > 1"
    assert compile_rule(parse(deep), PROPERTIES).paths == ("count",)


def test_equal_values_have_equal_codes_and_others_do_not():
    assert code_of_json('"ä"') == code_of_value("ä") != code_of_value("a")
    assert code_of_json("3") == 3.0
    assert code_of_json("9007199254740993") == code_of_value(9007199254740993)
    assert np.isnan(code_of_json("null"))
    assert np.isnan(code_of_json("{"))
    assert code_of_json('{"a": 1}') == code_of_json('{"a":1}')
    assert code_of_json("true") == 1.0
    assert np.isnan(code_of_value(10**400))


DOCUMENT = {"model": "m", "when": "count > 1", "priority": 2, "title": "Many"}


def test_a_rule_document_is_read():
    then = {"command": "stop", "arguments": {"now": True}}
    rule = load_rule("many", {**DOCUMENT, "then": then}, PROPERTIES, version=3, stale_after=60)
    assert (rule.id, rule.version, rule.priority, rule.title) == ("many", 3, 2, "Many")
    assert rule.then == Action("stop", {"now": True})
    assert rule.stale_after == 60
    bare = load_rule("many", {"model": "m", "when": "count > 1"}, PROPERTIES)
    assert (bare.priority, bare.title, bare.then) == (3, "count > 1", None)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"when": ""}, "'when' must be a text"),
        ({"when": 3}, "'when' must be a text"),
        ({"model": None}, "'model' must be a text"),
        ({"title": 3}, "'title' must be a text"),
        ({"priority": 0}, "priority 0"),
        ({"priority": "1"}, "priority '1'"),
        ({"priority": True}, "priority True"),
        ({"then": "stop"}, "'then' is not an action"),
        ({"then": {"command": ""}}, "'then' is not an action"),
        ({"then": {"command": "a", "more": 1}}, "'then' is not an action"),
        ({"sounds": True}, "unknown field 'sounds'"),
    ],
)
def test_a_rule_document_that_is_wrong_is_refused(change, what):
    with pytest.raises(InvalidInput, match="rule 'many'") as caught:
        load_rule("many", {**DOCUMENT, **change}, PROPERTIES)
    assert what in caught.value.message
    assert caught.value.hint
