"""Text to tree: the closed language of rules, with errors that point at the character."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken, VisitError

from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput
from gemel.services.rules.expression import (
    AllOf,
    AnyOf,
    Arithmetic,
    Comparison,
    Expression,
    Negate,
    Negative,
    Node,
    Number,
    Path,
    Text,
    Truth,
)

LONGEST = 2_000
"""Characters of one rule text."""
MOST_WORDS = 300
"""Words of one rule text; bounds the depth of the tree."""

SECONDS: dict[str, float] = {
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 0.001),
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3_600.0),
    **dict.fromkeys(("d", "day", "days"), 86_400.0),
}
LONGEST_DURATION = 366 * 86_400.0

WORDS: dict[str, str] = {
    "COMPARE": "a comparison (> >= < <= == !=)",
    "SIGN": "+ or -",
    "SCALE": "* or /",
    "MINUS": "-",
    "NUMBER": "a number",
    "UNIT": "a unit",
    "STRING": 'a text in "quotes"',
    "TRUTH": "true or false",
    "PATH": "the name of a property",
    "LPAR": "(",
    "RPAR": ")",
    "AND": "and",
    "OR": "or",
    "NOT": "not",
    "FOR": "for",
    "OFF": "off",
    "DEADBAND": "deadband",
    "COMMA": ",",
    "$END": "the end",
}
VALUE = {"NUMBER", "STRING", "TRUTH", "PATH", "LPAR", "MINUS"}


def mistake(rule: str, text: str, at: int, what: str, expected: str = "") -> InvalidInput:
    """The one error of this language: the rule, the place, the line and a caret under it."""
    at = min(max(at, 0), len(text))
    line = text.count("\n", 0, at) + 1
    begin = text.rfind("\n", 0, at) + 1
    shown = text[begin:].split("\n", 1)[0]
    column = at - begin + 1
    pad = "".join("\t" if c == "\t" else " " for c in shown[: column - 1])
    name = f"rule '{rule}', " if rule else "rule, "
    return InvalidInput(
        f"{name}line {line}, column {column}: {what}\n  {shown}\n  {pad}^",
        hint=_hint(expected),
        code="RuleInvalid",
        details=[
            {
                "code": "RuleInvalid",
                "message": what,
                "rule": rule,
                "text": text,
                "line": line,
                "column": column,
                "expected": expected,
            }
        ],
    )


def _hint(expected: str) -> str:
    if not expected or expected.startswith(("did you mean", "choose", "use ")):
        return expected
    return f"expected {expected}"


class _Wrong(Exception):
    """A mistake found while the tree is built, on its way to `mistake`."""

    def __init__(self, at: int, what: str, expected: str = "") -> None:
        super().__init__(what)
        self.at, self.what, self.expected = at, what, expected


def _at(token: Token) -> int:
    return token.start_pos or 0


def _number(token: Token, unit: Token | None) -> Number:
    value = float(token)
    if value in (float("inf"), float("-inf")):
        raise _Wrong(_at(token), "this number is too large", "a number below 1e308")
    return Number(value, str(unit) if unit is not None else "", _at(token))


def _seconds(number: Token, unit: Token) -> float:
    factor = SECONDS.get(str(unit))
    if factor is None:
        raise _Wrong(_at(unit), f"'{unit}' is not a unit of time", "ms, s, min, h or days")
    return float(number) * factor


@v_args(inline=True)
class _Builder(Transformer[Token, Any]):
    """Builds the tree while the text is parsed."""

    def number(self, value: Token, unit: Token | None = None) -> Number:
        return _number(value, unit)

    def text(self, token: Token) -> Text:
        return Text(str(token)[1:-1], _at(token))

    def truth(self, token: Token) -> Truth:
        return Truth(str(token) == "true", _at(token))

    def path(self, token: Token) -> Path:
        return Path(str(token), _at(token))

    def negative(self, operand: Node) -> Node:
        if isinstance(operand, Number):
            return Number(-operand.value, operand.unit, operand.at)
        return Negative(operand, operand.at)

    def arithmetic(self, left: Node, operator: Token, right: Node) -> Arithmetic:
        return Arithmetic(str(operator), left, right, _at(operator))

    def deadband(self, value: Token, unit: Token | None = None) -> Number:
        return _number(value, unit)

    def compare(
        self, left: Node, operator: Token, right: Node, deadband: Number | None = None
    ) -> Comparison:
        return Comparison(str(operator), left, right, deadband, _at(operator))

    def all_of(self, left: Node, right: Node) -> AllOf:
        return AllOf(left, right, left.at)

    def any_of(self, left: Node, right: Node) -> AnyOf:
        return AnyOf(left, right, left.at)

    def negate(self, operand: Node) -> Negate:
        return Negate(operand, operand.at)

    def duration(self, *parts: Token) -> int:
        pairs = zip(parts[::2], parts[1::2], strict=True)
        seconds = sum(_seconds(number, unit) for number, unit in pairs)
        if not 0 < seconds <= LONGEST_DURATION:
            raise _Wrong(
                _at(parts[0]), "a duration must be more than 0 and at most a year", "such as 30 s"
            )
        return round(seconds * SECOND)

    def hold(self, duration: int) -> tuple[str, int]:
        return ("hold", duration)

    def off(self, *parts: Any) -> tuple[str, int]:
        return ("off", parts[-1])

    def start(self, condition: Node, *delays: tuple[str, int]) -> tuple[Node, dict[str, int]]:
        return condition, dict(delays)


@lru_cache(maxsize=1)
def _grammar() -> Lark:
    text = files("gemel.services.rules").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(
        text,
        parser="lalr",
        lexer="contextual",
        transformer=_Builder(),
        maybe_placeholders=False,
        propagate_positions=False,
    )


def _expected(names: set[str]) -> str:
    """What could stand here, in words, shortest useful list first."""
    if names >= VALUE - {"TRUTH", "STRING"}:
        return "a value: a property, a number, a text in quotes, or a bracket"
    words = [word for name, word in WORDS.items() if name in names]
    if "COMPARE" in names:
        words = [WORDS["COMPARE"], *(w for w in words if w in ("and", "or", "a unit"))]
    return ", ".join(words)


def _wrong_words(text: str) -> tuple[int, str] | None:
    """Friendlier words for slips that other languages teach."""
    text = re.sub(r'"[^"\n]*"', lambda found: " " * len(found[0]), text)
    for slip, right in (("&&", "and"), ("||", "or"), ("=>", ">="), ("=<", "<=")):
        at = text.find(slip)
        if at >= 0:
            return at, f"'{slip}' is not known here; write '{right}'"
    found = re.search(r"(?<![<>=!])=(?!=)", text)
    if found:
        return found.start(), "a single '=' is not a comparison; write '=='"
    return None


def parse(text: str, rule: str = "") -> Expression:
    """Reads the text of a rule.

    Args:
        text: such as `temperature > 80 °C for 5 minutes`.
        rule: the rule's id, named in errors.

    Raises:
        InvalidInput: with line, column, a caret under the place, and what was expected there.
    """
    if len(text) > LONGEST:
        raise mistake(rule, text[:80], 0, f"the text is longer than {LONGEST} characters", "less")
    if not text.strip():
        raise mistake(
            rule, text, 0, "the rule is empty", "such as temperature > 80 °C for 5 minutes"
        )
    if len(re.findall(r"\w+|[^\w\s]", text)) > MOST_WORDS:
        raise mistake(rule, text, 0, f"the rule has more than {MOST_WORDS} words", "two rules")
    try:
        found: Any = _grammar().parse(text)
    except VisitError as error:
        if isinstance(error.orig_exc, _Wrong):
            wrong = error.orig_exc
            raise mistake(rule, text, wrong.at, wrong.what, wrong.expected) from None
        raise
    except _Wrong as wrong:
        raise mistake(rule, text, wrong.at, wrong.what, wrong.expected) from None
    except (UnexpectedCharacters, UnexpectedToken, UnexpectedEOF) as error:
        raise _misread(error, text, rule) from None
    condition, delays = found
    return Expression(text, condition, delays.get("hold", 0), delays.get("off", 0), rule)


def _misread(
    error: UnexpectedCharacters | UnexpectedToken | UnexpectedEOF, text: str, rule: str
) -> InvalidInput:
    slip = _wrong_words(text)
    at, what = len(text), "the rule ends too early"
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        at, what = _at(error.token), f"'{error.token}' cannot stand here"
    elif isinstance(error, UnexpectedCharacters):
        at = error.pos_in_stream or 0
        what = f"'{text[at]}' cannot stand here"
    if slip is not None:
        at, what = slip
    names = getattr(error, "expected", None) or getattr(error, "allowed", None) or set()
    return mistake(rule, text, at, what, _expected(set(names)))
