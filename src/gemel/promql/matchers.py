"""Whether labels fit: regular expressions are RE2's, whose time grows with the text alone."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib import import_module
from typing import Any

from gemel.core.errors import InvalidInput, Unavailable
from gemel.promql.tree import Matcher

MOST_PATTERN = 10_000
PATTERN_BYTES = 4 << 20


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:
    """A pattern that must fit the whole of a text.

    Raises:
        InvalidInput: it is none, too long or too large.
        Unavailable: the library is not installed.
    """
    try:
        re2: Any = import_module("re2")
    except ModuleNotFoundError as error:
        raise Unavailable(
            "regular expressions of PromQL need google-re2, which is not installed",
            hint="pip install 'gemel[promql]', then start again",
        ) from error
    if len(pattern) > MOST_PATTERN:
        raise InvalidInput(f"a pattern of {len(pattern):,} characters", hint="at most 10,000")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = PATTERN_BYTES
    options.dot_nl = True
    try:
        return re2.compile(f"^(?:{pattern})$", options)
    except re2.error as error:
        text = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        why = text.partition(": ^(?:")[0]
        raise InvalidInput(f"'{pattern[:80]}' is no pattern: {why}", hint="RE2's syntax") from None


def fits(matcher: Matcher, value: str) -> bool:
    """Whether one value of its label ("" if there is none) fits."""
    return value in fitting(matcher, (value,))


def fitting(matcher: Matcher, values: Iterable[str]) -> set[str]:
    """Those values that fit."""
    wanted, operator = matcher.value, matcher.operator
    if operator == "=":
        return {value for value in values if value == wanted}
    if operator == "!=":
        return {value for value in values if value != wanted}
    pattern = compiled(wanted)
    is_like = operator == "=~"
    return {value for value in values if (pattern.fullmatch(value) is not None) == is_like}
