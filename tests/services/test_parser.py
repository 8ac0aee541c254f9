from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput
from gemel.services.rules.expression import AllOf, AnyOf, Arithmetic, Comparison, Number, Path
from gemel.services.rules.parser import LONGEST, parse


def test_the_rule_of_the_readme_is_read():
    found = parse("temperature > 80 °C for 5 minutes")
    assert found.condition == Comparison(
        ">", Path("temperature", 0), Number(80, "°C", 14), None, 12
    )
    assert (found.hold, found.off) == (300 * SECOND, 0)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("30 s", 30),
        ("30 seconds", 30),
        ("1.5 min", 90),
        ("2 minutes", 120),
        ("1 h", 3_600),
        ("2 hours", 7_200),
        ("1 day", 86_400),
        ("3 days", 259_200),
        ("1 h 30 min", 5_400),
        ("250 ms", 0.25),
    ],
)
def test_durations_are_read_as_people_write_them(written, seconds):
    assert parse(f"a > 1 for {written}").hold == round(seconds * SECOND)
    assert parse(f"a > 1, off for {written}").off == round(seconds * SECOND)


def test_and_binds_closer_than_or_and_times_closer_than_plus():
    condition = parse("a > 1 or b > 2 and c + d * 2 > 3").condition
    assert isinstance(condition, AnyOf)
    assert isinstance(condition.right, AllOf)
    total = condition.right.right.left
    assert isinstance(total, Arithmetic)
    assert total.operator == "+"
    assert total.right.operator == "*"


def test_brackets_group_conditions_and_arithmetic():
    condition = parse("(a > 1 or b > 2) and (c + d) * 2 > 3").condition
    assert isinstance(condition, AllOf)
    assert isinstance(condition.left, AnyOf)
    assert condition.right.left.operator == "*"


def test_names_may_begin_like_keywords():
    assert parse("android > 1 and offset < 2 and forward == 3 and notes > 1").condition


@pytest.mark.parametrize("unit", ["°C", "%", "m³/h", "m3/h", "m/s²", "mm/s", "kW", "L/s", "µm"])
def test_units_are_read_with_and_without_a_space(unit):
    for text in (f"a > 5 {unit}", f"a > 5{unit}", f"a > 5 {unit} and b > 1"):
        node = parse(text).condition
        node = node.left if isinstance(node, AllOf) else node
        assert node.right.unit == unit


@pytest.mark.parametrize(
    ("text", "line", "column", "what", "expected"),
    [
        ("temperature > ", 1, 15, "too early", "a value"),
        ("temperature 80", 1, 13, "'80' cannot stand here", "a comparison"),
        ("temperature = 80", 1, 13, "write '=='", "a comparison"),
        ("a > 1 && b > 2", 1, 7, "write 'and'", ""),
        ('s == "a && b" || a > 1', 1, 15, "write 'or'", ""),
        ("a > 1 for 5 m", 1, 13, "'m' is not a unit of time", "ms, s, min, h or days"),
        ("a > 1 for 5", 1, 12, "too early", "a unit"),
        ("a > 1 for 0 s", 1, 11, "more than 0", "such as 30 s"),
        ("a > 1 for 400 days", 1, 11, "at most a year", ""),
        ("a > 1\n  and b ~ 2", 2, 9, "'~' cannot stand here", "a comparison"),
        ("(a > 1", 1, 7, "too early", ")"),
        ("a > 1e999", 1, 5, "too large", ""),
        ("   ", 1, 1, "empty", "such as temperature"),
        ("a > 1 deadband -2", 1, 16, "'-' cannot stand here", "a number"),
        ("1 < a < 3", 1, 7, "'<' cannot stand here", "and"),
    ],
)
def test_mistakes_point_at_the_character(text, line, column, what, expected):
    with pytest.raises(InvalidInput) as caught:
        parse(text, "hot")
    detail = caught.value.details[0]
    assert (detail["line"], detail["column"]) == (line, column)
    assert what in caught.value.message
    assert expected in detail["expected"]
    assert detail["text"] == text
    assert f"rule 'hot', line {line}, column {column}" in caught.value.message
    shown, caret = caught.value.message.split("\n")[1:]
    assert shown[2:] == text.split("\n")[line - 1]
    assert caret.index("^") == 2 + column - 1


@pytest.mark.parametrize(
    "text",
    ["a > " + "9" * LONGEST, "not " * 400 + "a", "(" * 900 + "a" + ")" * 900, "a" + "+a" * 900],
)
def test_texts_too_long_or_too_deep_are_refused(text):
    with pytest.raises(InvalidInput, match=r"more than|longer than"):
        parse(text)


WORDS = ["a", "(", ")", ">", "==", "<", "and", "or", "not", "for", "off", "deadband", "+", "-", "*"]
WORDS += ["/", ",", "true", '"x"', ">=", "!="]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([*WORDS, "~", "\n", '"', "1", "2.5", "°C", "%", "b.c", "s", "min"]),
        max_size=30,
    ).map(" ".join)
    | st.text(max_size=60)
)
def test_whatever_is_written_is_read_or_refused(text):
    try:
        found = parse(text, "r")
    except InvalidInput as error:
        found = error.details[0]["rule"]
    assert found == "r" or found.text == text
