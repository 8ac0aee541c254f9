"""Text to tokens: names, numbers, durations, strings and signs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput

MOST_CHARACTERS = 50_000
TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<duration>(?:[0-9]+(?:ms|[smhdwy]))+(?![\w.]))
    |(?P<number>0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?!\w)
    |(?P<name>[A-Za-z_][A-Za-z0-9_:]*)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
    |(?P<sign>=~|!~|==|!=|>=|<=|[-+*/%^(){}\[\],=<>@:])""",
    re.VERBOSE | re.DOTALL,
)
PLACES = ("y", "w", "d", "h", "m", "s", "ms")
"""Units of a duration, in the order in which they may stand."""
SECONDS = {
    "y": 365 * 86_400.0,
    "w": 7 * 86_400.0,
    "d": 86_400.0,
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 0.001,
}
ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
PLAIN = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"',
}  # fmt: skip
LONGEST = 100 * 365 * 86_400 * SECOND


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    """name, number, duration, string, sign or end."""
    text: str
    at: int


def mistake(text: str, at: int, what: str, hint: str = "") -> InvalidInput:
    """An error that names line and column as Prometheus does."""
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    return InvalidInput(f"{line}:{column}: parse error: {what}", hint=hint)


def tokens(text: str) -> list[Token]:
    """All tokens, and one that is the end.

    Raises:
        InvalidInput: a character that begins none, or a text that is too long.
    """
    if len(text) > MOST_CHARACTERS:
        raise InvalidInput(
            f"the query has {len(text):,} characters", hint=f"at most {MOST_CHARACTERS:,}"
        )
    found, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise mistake(text, at, _unexpected(text, at))
        kind = match.lastgroup or ""
        if kind != "space":
            found.append(Token(kind, match[0], at))
        at = match.end()
    return [*found, Token("end", "", len(text))]


def _unexpected(text: str, at: int) -> str:
    if text[at] in "\"'`":
        return "unterminated quoted string"
    if text[at].isdigit():
        rest = re.split(r"[\s,()\[\]{}]", text[at : at + 40])[0]
        return f'bad number or duration syntax: "{rest}"'
    return f"unexpected character: {text[at]!r}"


def duration(text: str) -> int | None:
    """Ns of a duration such as `1h30m`; None if it is none, or longer than a hundred years."""
    parts = re.findall(r"([0-9]+)(ms|[smhdwy])", text)
    places = [PLACES.index(unit) for _, unit in parts]
    whole = "".join(number + unit for number, unit in parts)
    if not parts or whole != text or places != sorted(set(places)) or len(text) > 100:
        return None
    total = sum(int(number) * round(SECONDS[unit] * SECOND) for number, unit in parts)
    return total if total <= LONGEST else None


def number(text: str) -> float:
    return float(int(text, 16)) if text[:2] in ("0x", "0X") else float(text)


def unquoted(token: Token, text: str) -> str:
    """What a quoted string says.

    Raises:
        InvalidInput: an escape that there is not.
    """
    inside = token.text[1:-1]
    if token.text[0] == "`":
        return inside

    def plain(match: re.Match[str]) -> str:
        code = match[1]
        try:
            return _escaped(code) if len(code) > 1 else PLAIN[code]
        except (KeyError, ValueError):
            what = f"unknown escape sequence {match[0]!r}"
            raise mistake(text, token.at, what, "write \\\\ for a backslash") from None

    return ESCAPE.sub(plain, inside)


def _escaped(code: str) -> str:
    """The character of a numeric escape.

    Raises:
        ValueError: it is half of one, or a byte that is none by itself.
    """
    point = int(code, 8) if code[0] in "01234567" else int(code[1:], 16)
    if 0xD800 <= point <= 0xDFFF or (code[0] not in "uU" and point > 0x7F):
        raise ValueError(code)
    return chr(point)
