"""Columns to text: every number of a column at once, and pieces of each row put together."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import orjson

from gemel.core.batch import F64, I64
from gemel.exports.names import Objects


def numbers(value: F64) -> Objects:
    """The shortest text of each number that reads back as it; `null` for NaN. At least one."""
    return _split(orjson.dumps(np.ascontiguousarray(value), option=orjson.OPT_SERIALIZE_NUMPY))


def whole_numbers(value: I64, before: bytes = b"", behind: bytes = b"") -> Objects:
    """Each number with something before and behind it."""
    text = orjson.dumps(np.ascontiguousarray(value), option=orjson.OPT_SERIALIZE_NUMPY)
    if not before and not behind:
        return _split(text)
    between = behind + b"," + before
    return objects((before + text[1:-1].replace(b",", between) + behind).split(b","))


def moments(time: I64) -> Objects:
    """Each time as ISO 8601 in UTC, to the nanosecond."""
    texts = np.datetime_as_string(time.view("M8[ns]"), timezone="UTC")
    return objects(texts.astype("S30").tolist())


def _split(text: bytes) -> Objects:
    return objects(text[1:-1].split(b","))


def objects(found: Sequence[object]) -> Objects:
    made = np.empty(len(found), object)
    made[:] = found
    return made


def joined(columns: Sequence[Objects | bytes], rows: int) -> bytes:
    """Row by row, the pieces of each column; a column of bytes is the same in every row."""
    pieces = np.empty((rows, len(columns)), object)
    for place, column in enumerate(columns):
        pieces[:, place] = column
    return b"".join(pieces.ravel().tolist())


def plain(text: str) -> str:
    """A value that is text, as people write it: JSON texts without quotes, the rest as JSON."""
    return json.loads(text) if text.startswith('"') else text
