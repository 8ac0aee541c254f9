"""Text to tree: the closed language of rules, with errors that point at the character."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken, VisitError

from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput
from gemel.core.series import PREDICTED
from gemel.services.rules.expression import (
    AllOf,
    AnyOf,
    Arithmetic,
    Call,
    Comparison,
    Expression,
    Gather,
    Measure,
    Negate,
    Negative,
    Node,
    NoReading,
    Number,
    Parameter,
    Path,
    Quantified,
    Relation,
    Schedule,
    Text,
    Truth,
    start_of,
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
    "COMMA": "a comma",
    "PARAMETER": "a parameter in {braces}",
    "STATISTIC": "a statistic such as 'mean of'",
    "PROVENANCE": "derived, predicted or simulated",
    "DEVIATES": "deviates from its prediction by more than",
    "ANYWHERE": "anywhere",
    "TIME": "a time of day such as 08:00",
    "DAYS": "days such as Mon-Fri",
    "ZONE": "a time zone such as Europe/Berlin",
    "INCOMING": "incoming",
    "DIRECTION": "rises or falls",
    "_OVER": "over",
    "_WITHIN": "within",
    "_IN": "in",
    "_HAS": "has",
    "_ON": "on",
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


RATE_WINDOW = 60 * SECOND
"""Of `rate of x` when no `over` says otherwise."""
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
OVER_RELATIVES = frozenset({"mean", "min", "max", "sum", "count", "range"})
OVER_TIME = frozenset(
    {"mean", "sd", "min", "max", "percentile", "slope", "range", "rise", "fall", "count", "sum"}
)


def _statistic(token: Token, *, over_relatives: bool) -> tuple[str, float]:
    words = str(token).split()[:-1]
    name, share = words[-1], 0.5
    if name == "percentile":
        share = float(re.sub(r"[a-z]", "", words[0])) / 100
        if not 0 <= share <= 1:
            raise _Wrong(_at(token), "a percentile lies between 0 and 100", "95th percentile of")
    name = {"median": "percentile", "worst": "max"}.get(name, name)
    allowed = OVER_RELATIVES if over_relatives else OVER_TIME
    if name not in allowed:
        shown = ", ".join(sorted(allowed))
        raise _Wrong(_at(token), f"relatives have no '{' '.join(words)}'", f"one of {shown}")
    return name, share


def _whole(window: int, at: int) -> int:
    if window % SECOND:
        raise _Wrong(at, "a window is a whole number of seconds", "such as 10 s")
    return window


def _quantity(token: Token) -> tuple[str, int]:
    words = str(token).split()
    if words[0] != "at":
        return words[0], 1
    return words[1], int(words[2])


def _is(part: Any, kind: str) -> bool:
    return isinstance(part, Token) and part.type == kind


def _relation(parts: tuple[Any, ...]) -> Relation:
    """The relation among what was matched, narrowed to the model that stands before it."""
    relation: Relation = next(part for part in parts if isinstance(part, Relation))
    model = next((part.name for part in parts if isinstance(part, Path)), "")
    is_deep = any(_is(part, "ANYWHERE") for part in parts)
    return Relation(relation.name, relation.is_incoming, model, is_deep)


def _minute(token: Token) -> int:
    hours, minutes = (int(part) for part in str(token).split(":"))
    if hours * 60 + minutes > 24 * 60 or minutes > 59:
        raise _Wrong(_at(token), f"'{token}' is not a time of day", "00:00 to 24:00")
    return hours * 60 + minutes


def _days(token: Token) -> tuple[int, ...]:
    found: set[int] = set()
    for part in str(token).split(","):
        ends = [DAYS.index(word.strip()) for word in part.split("-")]
        length = (ends[-1] - ends[0]) % 7 + 1
        found |= {(ends[0] + i) % 7 for i in range(length)}
    return tuple(sorted(found))


def _zone(token: Token) -> str:
    try:
        ZoneInfo(str(token))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise _Wrong(
            _at(token), f"there is no time zone '{token}'", "a name such as Europe/Berlin or UTC"
        ) from None
    return str(token)


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

    def parameter(self, token: Token) -> Parameter:
        return Parameter(str(token)[1:-1], _at(token))

    def call(self, function: Token, *operands: Node) -> Call:
        name = str(function).rstrip("( \t\n")
        if name == "abs" and len(operands) != 1:
            raise _Wrong(_at(function), "'abs' takes one value", "abs(x)")
        return Call(name, operands, _at(function))

    def measure(self, statistic: Token, operand: Node, window: int) -> Measure:
        name, share = _statistic(statistic, over_relatives=False)
        return Measure(name, operand, _whole(window, _at(statistic)), share, _at(statistic))

    def rate(self, rate: Token, operand: Node, window: int | None = None) -> Measure:
        return Measure("slope", operand, _whole(window or RATE_WINDOW, _at(rate)), 0.0, _at(rate))

    def moves(self, operand: Node, direction: Token, limit: Node, window: int) -> Comparison:
        name = "rise" if direction == "rises" else "fall"
        begin = start_of(operand)
        measure = Measure(name, operand, _whole(window, _at(direction)), 0.0, begin)
        return Comparison(">", measure, limit, None, _at(direction))

    def happens(self, operand: Node, happens: Token, window: int) -> Comparison:
        found = re.search(r"\d+", str(happens))
        count = float(found[0]) if found else 0.0
        at = _at(happens)
        measure = Measure("edges", operand, _whole(window, at), 0.0, start_of(operand))
        return Comparison(">=", measure, Number(count, "", at), None, at)

    def beside(self, provenance: Token, path: Path) -> Path:
        return Path(f"{path.name}@{provenance}", _at(provenance))

    def deviates(self, path: Path, deviates: Token, limit: Node) -> Comparison:
        predicted = Path(f"{path.name}@{PREDICTED}", path.at)
        apart = Arithmetic("-", path, predicted, _at(deviates))
        return Comparison(">", Call("abs", (apart,), path.at), limit, None, _at(deviates))

    def relation(self, *parts: Token) -> Relation:
        return Relation(str(parts[-1]), len(parts) > 1)

    def gather(self, statistic: Token, operand: Node, *rest: Any) -> Gather:
        name, _ = _statistic(statistic, over_relatives=True)
        return Gather(name, operand, _relation(rest), _at(statistic))

    def some_true(self, quantity: Token, path: Path, *rest: Any) -> Quantified:
        kind, count = _quantity(quantity)
        return Quantified(kind, count, path, _relation(rest), _at(quantity))

    def some_compared(self, quantity: Token, path: Path, *rest: Any) -> Quantified:
        kind, count = _quantity(quantity)
        place = next(i for i, part in enumerate(rest) if _is(part, "COMPARE"))
        operator, side, *band = rest[place:]
        compared = Comparison(str(operator), path, side, band[0] if band else None, _at(operator))
        return Quantified(kind, count, compared, _relation(rest[:place]), _at(quantity))

    def some_have(self, quantity: Token, path: Path, *rest: Any) -> Quantified:
        kind, count = _quantity(quantity)
        relation = _relation(rest[:-1])
        if relation.model:
            raise _Wrong(path.at, "name the model once", "any Pump in contains has (...)")
        model = "" if path.name == "twin" else path.name
        named = replace(relation, model=model)
        return Quantified(kind, count, rest[-1], named, _at(quantity))

    def no_reading(self, no: Token, path: Path, window: int) -> NoReading:
        return NoReading(path, _whole(window, _at(no)), _at(no))

    def schedule(self, between: Token, begin: Token, end: Token, *rest: Token) -> Schedule:
        days, zone = tuple(range(7)), ""
        for token in rest:
            if token is not None and token.type == "DAYS":
                days = _days(token)
            elif token is not None:
                zone = _zone(token)
        return Schedule(_minute(begin), _minute(end), days, zone, _at(between))

    def hold(self, duration: int) -> tuple[str, int]:
        return ("hold", duration)

    def off(self, *parts: Any) -> tuple[str, int]:
        return ("off", parts[-1])

    def formula(self, value: Node) -> Node:
        return value

    def start(self, condition: Node, *delays: tuple[str, int]) -> tuple[Node, dict[str, int]]:
        return condition, dict(delays)


@lru_cache(maxsize=1)
def _grammar() -> Lark:
    text = files("gemel.services.rules").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(
        text,
        start=["start", "formula"],
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
    example = "such as temperature > 80 °C for 5 minutes"
    condition, delays = _tree(text, rule, "start", example)
    return Expression(text, condition, delays.get("hold", 0), delays.get("off", 0), rule)


def parse_formula(text: str, name: str = "") -> Expression:
    """Reads a formula, a value without a comparison: `sum of power in contains`.

    Raises:
        InvalidInput: as `parse`.
    """
    found: Node = _tree(text, name, "formula", "such as sum of power in contains")
    return Expression(text, found, 0, 0, name)


def _tree(text: str, rule: str, start: str, example: str) -> Any:
    if len(text) > LONGEST:
        raise mistake(rule, text[:80], 0, f"the text is longer than {LONGEST} characters", "less")
    if not text.strip():
        raise mistake(rule, text, 0, "the text is empty", example)
    if len(re.findall(r"\w+|[^\w\s]", text)) > MOST_WORDS:
        raise mistake(rule, text, 0, f"the rule has more than {MOST_WORDS} words", "two rules")
    try:
        return _grammar().parse(text, start=start)
    except VisitError as error:
        if isinstance(error.orig_exc, _Wrong):
            wrong = error.orig_exc
            raise mistake(rule, text, wrong.at, wrong.what, wrong.expected) from None
        raise
    except _Wrong as wrong:
        raise mistake(rule, text, wrong.at, wrong.what, wrong.expected) from None
    except (UnexpectedCharacters, UnexpectedToken, UnexpectedEOF) as error:
        raise _misread(error, text, rule) from None


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
