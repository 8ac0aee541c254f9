from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.api.odata_filter import BOOLEAN, NUMBER, STRING, TIME, Bound, condition
from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput

KINDS = {"Name": STRING, "Size": NUMBER, "IsOn": BOOLEAN, "At": TIME}
NOON = 1_767_268_800 * SECOND  # 2026-01-01T12:00:00Z
ROW: dict[str, Any] = {"Name": "O'Hara pump", "Size": 2.5, "IsOn": True, "At": NOON}
NOTHING: dict[str, Any] = dict.fromkeys(KINDS)


@pytest.mark.parametrize(
    "text",
    [
        "Name eq 'O''Hara pump'",
        "Name ne 'x' and Size gt 2",
        "Size ge 2.5 and Size le 2.5e0 and Size lt 3 and Size gt -1",
        "2 lt Size",
        "not (Size eq 2)",
        "not contains(Name,'zzz')",
        "Size eq 1 or Size eq 2.5 and IsOn",
        "(Size eq 1 or Size eq 2.5) and IsOn eq true",
        "Name in ('a', 'O''Hara pump')",
        "startswith(tolower(Name),'o''h') and endswith(Name,'pump')",
        "length(Name) eq 11 and indexof(Name,'pump') eq 7",
        "substring(Name,7) eq 'pump' and substring(Name,7,2) eq 'pu'",
        "concat(trim(' a '),'b') eq 'ab'",
        "At eq 2026-01-01T12:00:00Z",
        "At gt 2026-01-01 and At lt 2026-01-01T12:00:00.000000001Z",
        "At eq 2026-01-01T14:00:00+02:00 and At eq 2026-01-01T14:00:00 02:00",
        "year(At) eq 2026 and month(At) eq 1 and day(At) eq 1 and hour(At) eq 12",
        "date(At) eq 2026-01-01",
        "round(Size) eq 3 and floor(Size) eq 2 and ceiling(Size) eq 3",
        "Size ne null and null ne Size",
        "toupper('a') eq 'A'",
        "floor(INF) eq INF and ceiling(-INF) eq -INF and round(INF) eq INF",
        "substring(Name,-INF,1) eq 'O' and substring(Name,INF) eq '' and length(Name) eq 11",
        "substring(Name,NaN) eq ''",
    ],
)
def test_what_holds_of_a_row(text: str) -> None:
    assert condition(text, KINDS).value(ROW) is True
    assert condition(f"not ({text})", KINDS).value(ROW) is False


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Size eq null", True),
        ("Size ne null", False),
        ("Size gt 1", False),
        ("Size eq 1", False),
        ("Size ne 1", True),
        ("IsOn", None),
        ("not IsOn", None),
        ("IsOn and false", False),
        ("IsOn or true", True),
        ("IsOn and true", None),
        ("contains(Name,'x')", None),
        ("Name in ('x',null)", True),
    ],
)
def test_nothing_is_judged_as_odata_has_it(text: str, result: bool | None) -> None:
    assert condition(text, KINDS).value(NOTHING) is result


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("Nope eq 1", "no property 'Nope'"),
        ("Size eq 'x'", "a number is compared with a text"),
        ("Size", "no condition"),
        ("Size and true", "where a condition belongs"),
        ("Size eq", "is missing at its end"),
        ("Size eq 1 1", "goes on where it should end"),
        ("(Size eq 1", "')' is missing"),
        ("Size in (1, Size)", "needs literals"),
        ("Size in (1", "')' is missing"),
        ("contains(Name)", "contains takes"),
        ("contains(Size,'x')", "contains takes"),
        ("Name eq 'x", "not understood from"),
        ("At eq 2026-13-01", "2026-13-01"),
        ("(" * 40 + "true" + ")" * 40, "nested more than 32"),
        ("not " * 40 + "true", "nested more than 32"),
        (" or ".join(["IsOn"] * 2000), "more than 2,000 words"),
    ],
)
def test_what_is_wrong_is_told_with_the_place(text: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        condition(text, KINDS)
    assert words in str(caught.value)
    assert caught.value.code != "NotImplemented"


@pytest.mark.parametrize(
    "text",
    [
        "Size add 1 eq 2",
        "Twin/Name eq 'x'",
        "geo.distance(At,At) lt 1",
        "Alarms/any(a:a/Priority eq 1)",
    ],
)
def test_what_odata_knows_and_this_does_not_is_not_implemented(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        condition(text, KINDS)
    assert caught.value.code == "NotImplemented"


def test_bounds_say_what_sources_may_use() -> None:
    found = condition("Name eq 'a' and 5 gt Size and At ge 2026-01-01", KINDS)
    assert found.bounds[:2] == (Bound("Name", "eq", "a"), Bound("Size", "lt", 5))
    assert found.is_bounds
    either = condition("(Name eq 'a' or Name eq 'b') and Size gt 1", KINDS)
    assert (either.bounds, either.is_bounds) == ((Bound("Size", "gt", 1),), False)
    assert condition("not (Name eq 'a')", KINDS).bounds == ()


MARKS = ["(", ")", ",", ":", "'", "and", "or", "not", "eq", "ne", "gt", "in", "INF", "/"]
OPERANDS = [*KINDS, "'x'", "1", "-2.5", "null", "true", "contains", "length", "2026-01-01"]
WORDS = st.sampled_from([*MARKS, *OPERANDS])


@given(st.one_of(st.lists(WORDS, max_size=30).map(" ".join), st.text(max_size=60)))
def test_whatever_is_asked_is_a_condition_or_refused(text: str) -> None:
    try:
        found = condition(text, KINDS)
    except InvalidInput:
        return
    assert found.value(ROW) in (True, False, None)
    assert found.value(NOTHING) in (True, False, None)
