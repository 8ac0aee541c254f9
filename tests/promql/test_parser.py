"""PromQL as text: what is read, what is refused, and where the fault is said to be."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.errors import InvalidInput
from gemel.promql.parser import parse, parse_selector
from gemel.promql.tokens import duration
from gemel.promql.tree import FUNCTIONS, NOT_SUPPORTED, Aggregate, Binary, Negative, Selector

WORDS = [
    "flow", "sum", "rate", "by", "on", "group_left", "bool", "offset", "and", "or", "start", "inf",
    "5m", "1", "0x1F", "1e3", "'a'", '"b"', "`c`", "(", ")", "{", "}", "[", "]", ":", ",", "=",
    "=~", "!=", "+", "-", "*", "/", "%", "^", "==", ">", "@", "#x\n", "\\", "'", "é", "5mm",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join) | st.text(max_size=40))
def test_any_text_is_a_query_or_refused_in_words(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        parse(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no expression found"),
        ("sum(flow", '1:9: parse error: unexpected end of input in aggregation, expected ")"'),
        ("rate(flow)", '1:6: parse error: expected type range vector in call to function "rate"'),
        ("flow +\n  foo(1)", '2:3: parse error: unknown function with name "foo"'),
        ("1 > 2", "comparisons between scalars must use BOOL modifier"),
        ("flow{twin=~'('}", "is no pattern"),
        ("flow{twin='a}", "unterminated quoted string"),
        ("flow[5mm]", 'bad number or duration syntax: "5mm"'),
        ("sum(flow) offset 5m", "offset modifier must be preceded by"),
        ("(flow)[5m]", None),
        ("sum(flow)[5m]", "ranges only allowed for vector selectors"),
        ('{twin=~".*"}', "must contain at least one non-empty matcher"),
        ('flow{__name__="x"}', "metric name must not be set twice"),
        ("flow and 1", 'set operator "and" not allowed in binary scalar expression'),
        ("flow + on (a) group_left (a) flow", 'label "a" must not occur in ON and GROUP clause'),
        ("flow or on (a) group_left () flow", 'no grouping allowed for "or" operation'),
        ('flow{a="\\q"}', "unknown escape sequence"),
        ('flow{a="\\ud800"}', "unknown escape sequence"),
        ('flow{a="\\xff"}', "unknown escape sequence"),
        ("(" * 60 + "1" + ")" * 60, "the query is too large"),
        ("1" + " + 1" * 300, "the query is too large"),
        ("x" * 60_000, "60,000 characters"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str | None) -> None:
    if said is None:
        assert isinstance(parse(text), Selector)
        return
    with pytest.raises(InvalidInput) as caught:
        parse(text)
    assert said in caught.value.message


def test_what_is_not_supported_is_refused_by_name() -> None:
    for name in NOT_SUPPORTED:
        with pytest.raises(InvalidInput, match=f'function "{name}" is not supported'):
            parse(f"{name}(flow[5m])")
    assert not NOT_SUPPORTED & FUNCTIONS.keys()


def test_operators_bind_as_in_prometheus() -> None:
    found = parse("a or b and c > d + e * f ^ g")
    signs = []
    while isinstance(found, Binary):
        signs.append(found.operator)
        found = found.right
    assert signs == ["or", "and", ">", "+", "*", "^"]
    assert isinstance(parse("-a ^ 2"), Negative)
    left = parse("a - b - c")
    assert isinstance(left, Binary)
    assert isinstance(left.left, Binary)
    right = parse("a ^ b ^ c")
    assert isinstance(right, Binary)
    assert isinstance(right.right, Binary)


def test_words_of_the_language_are_names_where_they_stand_as_such() -> None:
    assert isinstance(parse("sum"), Selector)
    assert isinstance(parse("by{on='x', sum=\"y\"}"), Selector)
    found = parse("sum by (on, by) (offset)")
    assert isinstance(found, Aggregate)
    assert found.labels == ("on", "by")


def test_a_selector_alone_is_what_match_takes() -> None:
    assert parse_selector("flow{a!='b'}").matchers[1].operator == "!="
    for text in ("sum(flow)", "flow[5m]", "flow offset 5m"):
        with pytest.raises(InvalidInput, match="is no series selector"):
            parse_selector(text)


def test_durations_have_their_units_in_order() -> None:
    assert duration("1h30m") == 5_400_000_000_000
    assert duration("1y2w3d4h5m6s7ms") is not None
    for text in ("", "5", "m5", "5m1h", "5m5m", "1.5h", "-5m", "300y", "5 m"):
        assert duration(text) is None


def test_escapes_are_those_of_go() -> None:
    found = parse_selector(r'flow{a="\x41\101\u00e9\U0001F600\n\"", b=`\n`}')
    assert [one.value for one in found.matchers[1:]] == ['AA\u00e9\U0001f600\n"', "\\n"]
