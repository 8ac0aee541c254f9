"""What the language takes, and how it says what is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.errors import InvalidInput
from gemel.twins.query.parser import LONGEST, parse
from gemel.twins.query.tree import Compare, Literal, Path


def refusal(text: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        parse(text)
    assert caught.value.code == "SqlQueryError"
    assert caught.value.message.startswith("SQL query parse failed: line ")
    return caught.value


def literal(text: str) -> object:
    found = parse(f"SELECT * FROM DIGITALTWINS T WHERE T.x = {text}").where
    assert isinstance(found, Compare)
    assert isinstance(found.right, Literal)
    return found.right.value


def test_keywords_have_no_case() -> None:
    assert parse(
        "select top(3) T from digitaltwins T where T.x in ['a'] order by T.x desc"
    ) == parse("SELECT TOP(3) T FROM DigitalTwins T WHERE T.x IN ['a'] ORDER BY T.x DESC")


def test_names_have_case() -> None:
    assert (
        "there is no 't' in FROM" in refusal("SELECT * FROM DIGITALTWINS T WHERE t.x = 1").message
    )


def test_text_escapes() -> None:
    assert literal(r"'it\'s'") == "it's"
    assert literal('"it\'s"') == "it's"
    assert literal(r"'a\\b\n\u00e9'") == "a\\b\né"
    assert literal(r"'SELECT -- \\'") == "SELECT -- \\"


def test_numbers_keep_their_kind() -> None:
    assert literal("-5") == -5
    assert isinstance(literal("5"), int)
    assert literal("1e3") == 1000.0
    assert literal("9007199254740993") == 9007199254740993


def test_reserved_names_in_double_brackets() -> None:
    found = parse("SELECT * FROM DIGITALTWINS WHERE [[order]] = 1 AND [[two words]] = 2").where
    assert found is not None
    paths = [operand.left for operand in found.operands]  # type: ignore[union-attr]
    assert [p.steps for p in paths if isinstance(p, Path)] == [("order",), ("two words",)]


def test_reserved_word_as_name_says_so() -> None:
    error = refusal("SELECT * FROM DIGITALTWINS WHERE order = 1")
    assert "as a name write [[order]]" in error.hint


def test_error_points_at_line_and_column_with_a_caret() -> None:
    error = refusal("SELECT *\nFROM DIGITALTWINS T\nWHERE T.x == 5")
    assert "line 3, column 11" in error.message
    assert error.message.endswith("\n  WHERE T.x == 5\n            ^")
    assert error.hint == "write '='"
    assert error.details[0]["line"] == 3


def test_error_says_what_was_expected() -> None:
    error = refusal("foo")
    assert error.message.startswith("SQL query parse failed: line 1, column 1: 'foo'")
    assert error.hint == "expected SELECT"
    assert "RELATED" in refusal("SELECT T FROM DIGITALTWINS T JOIN C").hint


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "empty"),
        ("SELECT *", "ends too early"),
        ("SELECT TOP(0) * FROM DIGITALTWINS", "TOP(0) must be a whole number from 1"),
        ("SELECT TOP(-1) * FROM DIGITALTWINS", "must be a whole number from 1"),
        ("SELECT TOP(1.5) * FROM DIGITALTWINS", "must be a whole number from 1"),
        ("SELECT T FROM DIGITALTWINS T JOIN T RELATED T.x", "'T' is given twice"),
        ("SELECT A FROM DIGITALTWINS T JOIN A RELATED B.x", "there is no 'B'"),
        ("SELECT C FROM DIGITALTWINS JOIN C RELATED T.x", "JOIN"),
        ("SELECT * FROM DIGITALTWINS T JOIN C RELATED T.x", "SELECT * cannot be used with JOIN"),
        ("SELECT * FROM DIGITALTWINS MATCH (A)-[]->(B)", "SELECT * cannot be used with JOIN"),
        ("SELECT R FROM RELATIONSHIPS R JOIN C RELATED R.x", "cannot be joined"),
        ("SELECT A FROM DIGITALTWINS MATCH (A)-[r*2]->(B)", "stands for one hop"),
        ("SELECT A FROM DIGITALTWINS MATCH (A)-[*0]->(B)", "at least 1"),
        ("SELECT A FROM DIGITALTWINS MATCH (A)-[*3..3]->(B)", "leaves no number of hops"),
        ("SELECT A FROM DIGITALTWINS MATCH (A)-[*2..]->(B)", "upper bound"),
        ("SELECT A FROM DIGITALTWINS MATCH (A)-[*..101]->(B)", "more than 100 hops"),
        ("SELECT A FROM DIGITALTWINS MATCH (A)-[r]->(B)-[r]->(C)", "given twice"),
        ("SELECT A FROM DIGITALTWINS T MATCH (A)-[]->(B)", "names stand in the pattern"),
        ("SELECT T.a, T.b AS a FROM DIGITALTWINS T", "two columns are called 'a'"),
        ("SELECT T.a, COUNT() FROM DIGITALTWINS T", "neither an aggregate nor in GROUP BY"),
        ("SELECT * FROM DIGITALTWINS T GROUP BY T.a", "cannot be grouped"),
        ("SELECT * FROM DIGITALTWINS T ORDER BY COUNT()", "needs GROUP BY"),
        ("SELECT * FROM DIGITALTWINS T WHERE COUNT() = 1", "cannot stand in WHERE"),
        ("SELECT * FROM DIGITALTWINS T WHERE IS_DEFINED(T.a, T.b)", "takes 1 argument"),
        ("SELECT * FROM DIGITALTWINS T WHERE STARTSWITH(T.a, 5)", "compares with a text"),
        ("SELECT * FROM DIGITALTWINS T WHERE STARTSWITH('a', T.a)", "needs a property"),
        ("SELECT * FROM DIGITALTWINS T WHERE IS_OF_MODEL(T)", "takes a twin and a model"),
        ("SELECT * FROM DIGITALTWINS T WHERE IS_NULL(T.a, exact)", "belongs to IS_OF_MODEL"),
        ("SELECT TIME(R.x) FROM RELATIONSHIPS R", "needs a property or telemetry of a twin"),
        ("SELECT * FROM DIGITALTWINS WHERE name = 'abc", "no closing quote"),
        ("SELECT * FROM DIGITALTWINS WHERE a = 1 && b = 2", "'&&' is not known"),
        ("SELECT * FROM DIGITALTWINS WHERE a = 1e999", "too large"),
        ("SELECT * FROM DIGITALTWINS T WHERE IS_DEFINDE(T.a)", "no function IS_DEFINDE"),
        ("SELECT * FROM DIGITALTWINS AS OF '0001-01-01T00:00:00Z'", "cannot be expressed"),
        ("SELECT * FROM DIGITALTWINS AS OF '9999-12-31T23:59:59Z'", "cannot be expressed"),
    ],
)
def test_what_is_wrong_is_said(text: str, what: str) -> None:
    assert what in refusal(text).message


def test_near_names_are_suggested() -> None:
    error = refusal("SELECT * FROM DIGITALTWINS Pump WHERE Pumpe.x = 1")
    assert "did you mean 'Pump'?" in error.hint
    assert (
        "did you mean IS_DEFINED?"
        in refusal("SELECT * FROM DIGITALTWINS T WHERE IS_DEFINDE(T.a)").hint
    )


def test_sizes_are_bounded() -> None:
    begin = "SELECT * FROM DIGITALTWINS WHERE "
    assert "longer than" in refusal(begin + "a" * LONGEST).message
    assert "nested deeper" in refusal(begin + "(" * 100 + "a" + ")" * 100).message
    assert "NOTs" in refusal(begin + "NOT " * 200 + "a").message


def test_brackets_in_texts_do_not_count() -> None:
    parse("SELECT * FROM DIGITALTWINS WHERE a = '" + "(" * 500 + "'")


def test_long_conditions_are_taken() -> None:
    parse("SELECT * FROM DIGITALTWINS WHERE " + " OR ".join(f"a = {n}" for n in range(1000)))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "SELECT",
                "*",
                "FROM",
                "DIGITALTWINS",
                "T",
                "WHERE",
                "T.x",
                "=",
                "'a'",
                "5",
                "AND",
                "NOT",
                "(",
                ")",
                "MATCH",
                "-[",
                "]->",
                "[",
                "]",
                "JOIN",
                "RELATED",
                "IN",
                ",",
                "TOP",
                "COUNT()",
                "GROUP BY",
                "ORDER BY",
                "AS",
                "é",
                "\\",
                '"',
                "[[",
                "]]",
                "$dtId",
                "\n",
            ]
        ),
        max_size=20,
    )
)
def test_any_words_give_a_tree_or_the_one_error(words: list[str]) -> None:
    for text in (
        " ".join(words),
        "".join(words),
        "SELECT * FROM DIGITALTWINS T " + " ".join(words),
    ):
        code = "SqlQueryError"
        try:
            parse(text)
        except InvalidInput as error:
            code = error.code
        assert code == "SqlQueryError"
