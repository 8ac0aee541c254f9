"""Snapshots and stored arrays as bytes: a JSON head with a checksum, then columns; no pickles."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from gemel.core.document import Json
from gemel.core.errors import Damaged

MAGIC = b"GMLPACK1"


def pack(document: Json, arrays: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    """A document and arrays of plain numbers as bytes.

    Raises:
        ValueError: an array holds objects.
    """
    columns = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    for name, column in columns.items():
        if column.dtype.kind not in "biufSU":
            raise ValueError(f"array '{name}' has the type {column.dtype}")
    shapes = {name: [c.dtype.str, list(c.shape)] for name, c in columns.items()}
    head = orjson.dumps({"document": document, "arrays": shapes})
    body = b"".join(column.tobytes() for column in columns.values())
    check = zlib.crc32(body, zlib.crc32(head))
    return MAGIC + np.array([len(head), check], "<u4").tobytes() + head + body


def unpack(data: bytes) -> tuple[Json, dict[str, np.ndarray[Any, Any]]]:
    """What `pack` made bytes of.

    Raises:
        Damaged: they are not.
    """
    start = len(MAGIC) + 8
    if len(data) < start or not data.startswith(MAGIC):
        raise Damaged("this is not packed by Gemel", hint="delete it; it is made again")
    size, check = (int(n) for n in np.frombuffer(data, "<u4", 2, len(MAGIC)))
    if zlib.crc32(data[start:]) != check:
        raise Damaged("packed bytes have changed", hint="delete them; they are made again")
    head = orjson.loads(data[start : start + size])
    place = start + size
    arrays = {}
    for name, (kind, shape) in head["arrays"].items():
        dtype = np.dtype(kind)
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(data, dtype, count, place).reshape(shape).copy()
        place += count * dtype.itemsize
    return head["document"], arrays
