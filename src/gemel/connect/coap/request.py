"""What the options of a request ask for, or why they cannot be met."""

from __future__ import annotations

from dataclasses import dataclass

from gemel.connect.coap.assembly import Refusal
from gemel.connect.coap.codec import Block, Options, Packet, block_of, encode, number_of
from gemel.connect.coap.words import (
    BAD_OPTION,
    BAD_REQUEST,
    LARGEST_BLOCK,
    NO_PROXY,
    NON,
    POST,
    Option,
)

_PARTS = (Option.BLOCK1, Option.SIZE1)
_NUMBERS = {
    Option.OBSERVE: 3,
    Option.CONTENT_FORMAT: 2,
    Option.ACCEPT: 2,
    Option.BLOCK1: 3,
    Option.BLOCK2: 3,
    Option.SIZE1: 4,
    Option.SIZE2: 4,
    Option.URI_PORT: 2,
}
"""Options that hold one number, and their longest value."""


@dataclass(frozen=True, slots=True)
class Request:
    path: tuple[str, ...]
    token: str
    """Of `?token=`, "" without one."""
    format: int | None = None
    accept: int | None = None
    observe: int | None = None
    block1: Block | None = None
    block2: Block | None = None
    same: bytes = b""
    """What all parts of one long payload have in common."""


def read(options: Options, code: int) -> Request:
    """Reads the options of a request.

    Raises:
        Refusal: 4.02 for a critical option that is unknown, 4.00 for a text or block that is none.
    """
    path: list[str] = []
    token = ""
    numbers: dict[int, bytes] = {}
    for number, value in options:
        if number == Option.URI_PATH:
            path.append(_text(value, "path"))
        elif number == Option.URI_QUERY:
            name, _, rest = _text(value, "query").partition("=")
            token = rest if name == "token" else token
        elif number in (Option.PROXY_URI, Option.PROXY_SCHEME):
            raise Refusal(NO_PROXY, "this is no proxy")
        elif number in _NUMBERS and number not in numbers and len(value) <= _NUMBERS[number]:
            numbers[number] = value
        elif number & 1 and number != Option.URI_HOST:
            raise Refusal(BAD_OPTION, f"option {number} is not understood, doubled or too long")
    block1 = _block(numbers, Option.BLOCK1)
    return Request(
        tuple(path),
        token,
        _number(numbers, Option.CONTENT_FORMAT),
        _number(numbers, Option.ACCEPT),
        _number(numbers, Option.OBSERVE),
        block1,
        _block(numbers, Option.BLOCK2),
        _same(options, code) if block1 is not None else b"",
    )


def _text(value: bytes, what: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Refusal(BAD_REQUEST, f"a part of the {what} is not UTF-8") from None


def _number(numbers: dict[int, bytes], option: int) -> int | None:
    value = numbers.get(option)
    return None if value is None else number_of(value)


def _block(numbers: dict[int, bytes], option: int) -> Block | None:
    value = numbers.get(option)
    if value is None:
        return None
    try:
        found = block_of(value)
    except ValueError as error:
        raise Refusal(BAD_REQUEST, str(error)) from None
    assert found.exponent <= LARGEST_BLOCK
    return found


def _same(options: Options, code: int) -> bytes:
    kept = tuple(one for one in options if one[0] not in _PARTS)
    return encode(Packet(NON, code or POST, 0, b"", kept))
