"""Pages of sorted lists: a token says after which key the next page begins.

A token holds no place in memory, so it stays good over restarts and edits: what is added behind
it is seen, what is deleted is not, and nothing comes twice.
"""

from __future__ import annotations

import base64
import binascii
import heapq
from collections.abc import Iterable
from typing import NamedTuple

import orjson

from gemel.core.errors import InvalidInput

DEFAULT_SIZE = 200
LARGEST_SIZE = 1000


class Page(NamedTuple):
    keys: list[str]
    token: str | None
    """Where the next page begins; None on the last one."""


def page(keys: Iterable[str], token: str | None = None, size: int = DEFAULT_SIZE) -> Page:
    """The next `size` keys in order after the token.

    Raises:
        InvalidInput: the token is not one of ours.
    """
    size = max(1, min(size, LARGEST_SIZE))
    after = None if token is None else read_token(token)
    rest = keys if after is None else (key for key in keys if key > after)
    found = heapq.nsmallest(size + 1, rest)
    if len(found) <= size:
        return Page(found, None)
    return Page(found[:size], write_token(found[size - 1]))


def write_token(last: str) -> str:
    return write_mark([last])


def read_token(token: str) -> str:
    last = read_mark(token, 1)[0]
    if isinstance(last, str):
        return last
    raise _not_ours(token)


def write_mark(place: list[object]) -> str:
    """A place in a list as a token; what is no number in JSON becomes null."""
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def read_mark(token: str, count: int) -> list[object]:
    """The `count` parts of a token.

    Raises:
        InvalidInput: it is not one of ours.
    """
    try:
        found = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, binascii.Error):
        found = None
    if isinstance(found, list) and len(found) == count:
        return found
    raise _not_ours(token)


def _not_ours(token: str) -> InvalidInput:
    return InvalidInput(
        f"the continuation token '{token[:60]}' was not given by this server",
        hint="start again without one",
    )
