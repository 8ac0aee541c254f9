"""Values of PromQL as the Prometheus HTTP API has them: bytes of JSON, a column at a time."""

from __future__ import annotations

import math
from itertools import chain, repeat

import numpy as np
import orjson

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.promql.values import (
    Grid,
    Labels,
    Ranges,
    Scalar,
    Text,
    There,
    Value,
    Vector,
)

MILLISECOND = SECOND // 1000


def body_of(value: Value, grid: Grid, *, is_range: bool) -> bytes:
    """The whole of an answer; it may be large, so its pieces are put together once."""
    kind, pieces = _pieces(value, grid, is_range)
    head = b'{"status":"success","data":{"resultType":"' + kind + b'","result":'
    return b"".join([head, *pieces, b"}}"])


def _pieces(value: Value, grid: Grid, is_range: bool) -> tuple[bytes, list[bytes]]:
    """The kind of an answer, and what it has."""
    if is_range:
        return b"matrix", _listed(_matrix(value, grid))
    if isinstance(value, Text):
        return b"string", [_stamps(grid.times)[0], orjson.dumps(value.value), b"]"]
    if isinstance(value, Scalar):
        return b"scalar", [_stamps(grid.times)[0], _quoted(value.value)[0], b"]"]
    if isinstance(value, Ranges):
        return b"matrix", _listed(_raw(value))
    return b"vector", _listed(_vector(value, grid))


def _listed(found: list[bytes]) -> list[bytes]:
    """The pieces of a JSON array."""
    commas = [piece for one in found for piece in (b",", one)]
    return [b"[", *commas[1:], b"]"]


def _stamps(times: I64) -> list[bytes]:
    """The beginning of each point: `[1700000000.123,`."""
    whole, rest = np.divmod(times // MILLISECOND, 1000)
    pairs = zip(whole.tolist(), rest.tolist(), strict=True)
    return [b"[%d.%03d," % pair if pair[1] else b"[%d," % pair[0] for pair in pairs]


def _quoted(values: F64) -> list[bytes]:
    """Numbers in quotes, as short as they can be told."""
    plain = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    found = plain[1:-1].split(b",") if len(values) else []
    for row in np.flatnonzero(~np.isfinite(values)).tolist():
        found[row] = _named(float(values[row]))
    return [b'"%b"' % number.removesuffix(b".0") for number in found]


def _named(number: float) -> bytes:
    return b"NaN" if math.isnan(number) else b"+Inf" if number > 0 else b"-Inf"


def _metric(labels: Labels) -> bytes:
    return orjson.dumps(dict(labels))


def _vector(value: Vector, grid: Grid) -> list[bytes]:
    rows = np.flatnonzero(value.there[:, 0])
    stamp = _stamps(grid.times)[0]
    numbers = _quoted(value.value[rows, 0])
    return [
        b'{"metric":' + _metric(value.labels[row]) + b',"value":' + stamp + number + b"]}"
        for row, number in zip(rows.tolist(), numbers, strict=True)
    ]


def _series(labels: Labels, stamps: list[bytes], values: F64) -> bytes:
    points = zip(stamps, _quoted(values), repeat(b"],"), strict=False)
    return (
        b'{"metric":'
        + _metric(labels)
        + b',"values":['
        + b"".join(chain.from_iterable(points))[:-1]
        + b"]}"
    )


def _matrix(value: Value, grid: Grid) -> list[bytes]:
    if isinstance(value, Scalar):
        there: There = np.ones((1, len(grid.times)), np.bool_)
        value = Vector([()], value.value[None], there)
    assert isinstance(value, Vector)
    stamps = _stamps(grid.times)
    found = []
    for row in sorted(range(len(value)), key=lambda row: value.labels[row]):
        has = value.there[row]
        if has.all():
            found.append(_series(value.labels[row], stamps, value.value[row]))
        elif has.any():
            own = [stamp for stamp, is_there in zip(stamps, has.tolist(), strict=True) if is_there]
            found.append(_series(value.labels[row], own, value.value[row][has]))
    return found


def _raw(value: Ranges) -> list[bytes]:
    found = []
    for row, labels in enumerate(value.labels):
        rows = slice(int(value.low[row, 0]), int(value.high[row, 0]))
        if rows.stop > rows.start:
            found.append(_series(labels, _stamps(value.time[rows]), value.value[rows]))
    return found
