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


def data_of(value: Value, grid: Grid, *, is_range: bool) -> bytes:
    """`{"resultType": ..., "result": ...}`."""
    if is_range:
        return _of_kind(b"matrix", _matrix(value, grid))
    if isinstance(value, Text):
        point = _stamps(grid.times)[0] + orjson.dumps(value.value) + b"]"
        return _of_kind(b"string", point)
    if isinstance(value, Scalar):
        return _of_kind(b"scalar", _stamps(grid.times)[0] + _quoted(value.value)[0] + b"]")
    if isinstance(value, Ranges):
        return _of_kind(b"matrix", _raw(value))
    return _of_kind(b"vector", _vector(value, grid))


def _of_kind(kind: bytes, result: bytes) -> bytes:
    return b'{"resultType":"' + kind + b'","result":' + result + b"}"


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


def _vector(value: Vector, grid: Grid) -> bytes:
    rows = np.flatnonzero(value.there[:, 0])
    stamp = _stamps(grid.times)[0]
    numbers = _quoted(value.value[rows, 0])
    points = [
        b'{"metric":' + _metric(value.labels[row]) + b',"value":' + stamp + number + b"]}"
        for row, number in zip(rows.tolist(), numbers, strict=True)
    ]
    return b"[" + b",".join(points) + b"]"


def _series(labels: Labels, stamps: list[bytes], values: F64) -> bytes:
    points = zip(stamps, _quoted(values), repeat(b"],"), strict=False)
    return (
        b'{"metric":'
        + _metric(labels)
        + b',"values":['
        + b"".join(chain.from_iterable(points))[:-1]
        + b"]}"
    )


def _matrix(value: Value, grid: Grid) -> bytes:
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
    return b"[" + b",".join(found) + b"]"


def _raw(value: Ranges) -> bytes:
    found = []
    for row, labels in enumerate(value.labels):
        rows = slice(int(value.low[row, 0]), int(value.high[row, 0]))
        if rows.stop > rows.start:
            found.append(_series(labels, _stamps(value.time[rows]), value.value[rows]))
    return b"[" + b",".join(found) + b"]"
