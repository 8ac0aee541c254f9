"""SenML (RFC 8428): packs of records, with base values and relative times, resolved to readings."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

from gemel.core.clock import SECOND
from gemel.ingest.times import read_time

LABELS = {
    -1: "bver",
    -2: "bn",
    -3: "bt",
    -4: "bu",
    -5: "bv",
    -6: "bs",
    0: "n",
    1: "u",
    2: "v",
    3: "vs",
    4: "vb",
    5: "s",
    6: "t",
    7: "ut",
    8: "vd",
}
"""CBOR labels (section 6)."""

FIELDS = frozenset(LABELS.values())
VALUES = ("v", "vs", "vb", "vd")
VERSION = 10
ABSOLUTE = 2**28
"""Times below this many seconds are relative to now (section 4.5.3)."""

UNITS = {"Cel": "°C", "%EL": "%", "/": "unity", "count": "", "beat/min": "1/min"}
"""SenML unit symbols that are written otherwise elsewhere; the rest is taken as it stands."""


class Problem(Exception):
    """A payload that cannot be read; the text says why. Does not leave this package."""


class Record(NamedTuple):
    """One resolved value."""

    base: str
    """The base name in force."""
    name: str
    """The record's own name."""
    value: Any
    unit: str
    time: int | None
    """ns since 1970 UTC; None if it cannot be expressed."""
    is_sum: bool = False


def is_senml(data: Any, content_type: str) -> bool:
    """Whether a decoded payload is a SenML pack: told, or an array of records and nothing else."""
    if content_type.startswith(("application/senml", "application/sensml")):
        return True
    if type(data) is not list or not data:
        return False
    named = False
    for record in data:
        if type(record) is not dict or not all(k in FIELDS or k.endswith("_") for k in record):
            return False
        if not isinstance(record.get("n", ""), str) or not isinstance(record.get("bn", ""), str):
            return False
        named = named or "n" in record or "bn" in record
    return named


def with_names(record: dict[Any, Any]) -> dict[str, Any]:
    """A CBOR record with field names in place of labels."""
    return {LABELS.get(k, str(k)) if type(k) is int else str(k): v for k, v in record.items()}


def resolve(records: Any, received: int) -> list[Record]:
    """Resolves a pack.

    Raises:
        Problem: it breaks RFC 8428 in a way that leaves no meaning.
    """
    if type(records) is not list:
        raise Problem("a SenML pack is an array of records")
    base: dict[str, Any] = {"bn": "", "bt": 0, "bu": "", "bv": None, "bs": None}
    found: list[Record] = []
    for record in records:
        if type(record) is not dict:
            raise Problem("a SenML record is an object")
        _check(record)
        base.update({k: record[k] for k in base if k in record})
        found += _values(record, base, received)
    return found


def _check(record: dict[str, Any]) -> None:
    for key, value in record.items():
        if key.endswith("_"):
            raise Problem(f"the SenML field '{key}' must be understood and is not")
        if key in ("bt", "bv", "bs", "t", "ut", "s", "bver") and not _is_number(value):
            raise Problem(f"the SenML field '{key}' must be a finite number")
        if key in ("bn", "bu", "n", "u") and type(value) is not str:
            raise Problem(f"the SenML field '{key}' must be text")
    if record.get("bver", VERSION) > VERSION:
        raise Problem(f"SenML version {record['bver']} is not known (up to {VERSION})")


def _is_number(value: Any) -> bool:
    return (type(value) is int and abs(value) < 2**64) or (
        type(value) is float and math.isfinite(value)
    )


def _values(record: dict[str, Any], base: dict[str, Any], received: int) -> list[Record]:
    name = record.get("n", "")
    unit = record.get("u", base["bu"])
    unit = UNITS.get(unit, unit)
    moment = _time(base["bt"] + record.get("t", 0), received)
    found: list[Record] = []
    for key in VALUES:
        if key not in record:
            continue
        value = record[key]
        if key == "v" and base["bv"] is not None and _is_number(value):
            value += base["bv"]
        found.append(Record(base["bn"], name, value, unit if key == "v" else "", moment))
    if not found and base["bv"] is not None and "n" in record and "s" not in record:
        found.append(Record(base["bn"], name, base["bv"], unit, moment))
    if "s" in record or (found and base["bs"] is not None):
        total = record.get("s", 0) + (base["bs"] or 0)
        found.append(Record(base["bn"], name, total, "", moment, is_sum=True))
    return found


def _time(seconds: float, received: int) -> int | None:
    if seconds >= ABSOLUTE:
        return read_time(seconds) if seconds < 1e11 else None
    if seconds < -(2.0**33):
        return None
    return received + round(seconds * SECOND)


_SEPARATOR = re.compile(r"[/:]+")


def device_of(record: Record) -> tuple[str, str]:
    """The device and the property path of a record that came without a topic, or ("", path)."""
    full = (record.base + record.name).rstrip("/:")
    cut = max(full.rfind("/"), full.rfind(":"))
    if cut < 0:
        return (record.base.rstrip("/:"), record.name) if record.name else ("", full)
    if record.name and record.base.rstrip("/:") and record.base[-1:] in "/:":
        return record.base.rstrip("/:"), record.name.replace("/", ".")
    return full[:cut].rstrip("/:"), full[cut + 1 :]


def candidates(record: Record) -> list[str]:
    """Property paths a record may mean, likeliest last: the full name, its own, the last part."""
    full = record.base + record.name
    last = _SEPARATOR.split(full.rstrip("/:"))[-1]
    own = record.name or last
    return [n for n in (full, full.replace("/", "."), own.replace("/", "."), last, own) if n]


def plain(data: list[Any], received: int) -> tuple[list[str], list[Any], list[int]] | None:
    """Names, values and times of a pack of plain numbers with one device at most, read fast.

    Returns:
        None if there is anything else in it: units, sums, texts, names that hold a device.
    """
    first = data[0]
    base = first.get("bn", "/")
    if type(first) is not dict or type(base) is not str or base[-1:] not in ("/", ":"):
        return None
    start = first.get("bt", 0)
    try:
        names = [record["n"] for record in data]
        values = [record["v"] for record in data]
        fields = sum(map(len, data)) - ("bn" in first) - ("bt" in first)
        if fields == 3 * len(data):
            offsets = [record["t"] for record in data]
        elif fields == 2 * len(data):
            offsets = [0]
        else:
            return None
    except (KeyError, TypeError):
        return None
    if type(start) not in (int, float) or not {type(t) for t in offsets} <= {int, float}:
        return None
    moments = [_time(start + t, received) for t in offsets]
    if None in moments:
        return None
    if len(moments) == 1:
        moments *= len(data)
    return names, values, moments  # type: ignore[return-value]
