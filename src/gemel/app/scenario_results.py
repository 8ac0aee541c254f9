"""What scenarios came to, for people: series with bands, side by side, against what happened."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.core.batch import F64
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.whatif.boundary import sampled
from gemel.services.whatif.figures import band
from gemel.services.whatif.figures import compared as difference

if TYPE_CHECKING:
    from gemel.app.platform import Platform

Arrays = Mapping[str, np.ndarray[Any, Any]]
Found = tuple[str, Json, Arrays]
FEWEST = 3
"""Moments that have been measured, from which on a scenario is held against them."""


def shown(document: Json) -> Json:
    """A result's document with its series as objects."""
    rows = [{"twin": t, "property": p, "unit": u} for t, p, u in document["series"]]
    return {**document, "series": rows}


def _places(document: Json, names: Sequence[str]) -> list[int]:
    known = {f"{twin}.{path}": i for i, (twin, path, _) in enumerate(document["series"])}
    for name in names:
        if name not in known:
            raise InvalidInput(
                f"'{name}' was not simulated", hint="one of: " + ", ".join(list(known)[:12])
            )
    return [known[name] for name in names]


async def series_of(
    platform: Platform, key: str, document: Json, arrays: Arrays, names: Sequence[str]
) -> Json:
    """Some series: the scenario and its baseline with their bands, and what was measured.

    Raises:
        InvalidInput: one was not simulated.
    """
    places = _places(document, names)
    measured = await _measured(platform, document, arrays, places)
    rows = []
    for i, real in zip(places, measured, strict=True):
        twin, path, unit = document["series"][i]
        row: Json = {"twin": twin, "property": path, "unit": unit, "measured": _plain(real)}
        for side in ("scenario", "baseline"):
            row[side] = {word: _plain(arrays[f"{side}/{word}"][:, i]) for word in WORDS}
        rows.append(row)
    return {"scenario": key, "time": (arrays["time"] / 1e6).tolist(), "series": rows}


WORDS = ("mean", "low", "high")


def state_of(document: Json, arrays: Arrays, at: int) -> Json:
    """Every simulated value as of a moment (ns): the last that is kept by then, or the first."""
    time = arrays["time"]
    row = max(int(np.searchsorted(time, at, side="right")) - 1, 0)
    values: list[Json] = []
    for i, (twin, path, unit) in enumerate(document["series"]):
        said = {word: arrays[f"scenario/{word}"][row, i] for word in WORDS}
        said["baseline"] = arrays["baseline/mean"][row, i]
        known = {n: float(v) if np.isfinite(v) else None for n, v in said.items()}
        known["scenario"] = known.pop("mean")
        values.append({"twin": twin, "property": path, "unit": unit, **known})
    return {"time": int(time[row]) / 1e6, "values": values}


async def _measured(
    platform: Platform, document: Json, arrays: Arrays, places: Sequence[int]
) -> list[F64]:
    """What was measured at the moments of a scenario; NaN where that is not yet, or nothing was."""
    time = arrays["time"]
    now = platform.clock()
    keys = [tuple(document["series"][i][:2]) for i in places]

    def read() -> list[F64]:
        found = []
        for twin, path in keys:
            number = platform.series.find(twin, path)
            if number is None:
                found.append(np.full(len(time), np.nan))
                continue
            columns = platform.history.read(number, int(time[0]), int(min(time[-1], now)) + 1)
            values = sampled(columns.time, columns.value, time)
            width = int(time[1] - time[0]) if len(time) > 1 else SECOND
            late = time > (int(columns.time[-1]) if len(columns) else 0) + width
            found.append(np.where(late | (time > now), np.nan, values))
        return found

    return await asyncio.to_thread(read)


async def happened(platform: Platform, document: Json, arrays: Arrays) -> list[Json]:
    """The baseline and the scenario held against what was measured since.

    By series: how many moments, the mean error (`bias`) and its root mean square, and the share
    of moments whose band held what was measured.
    """
    every = range(len(document["series"]))
    measured = await _measured(platform, document, arrays, every)
    rows: list[Json] = []
    for i, real in enumerate(measured):
        there = np.isfinite(real[1:])
        if int(there.sum()) < FEWEST:
            continue
        twin, path, unit = document["series"][i]
        row: Json = {"twin": twin, "property": path, "unit": unit, "moments": int(there.sum())}
        for side in ("baseline", "scenario"):
            mean, low, high = (arrays[f"{side}/{w}"][1:, i].astype(float)[there] for w in WORDS)
            error = mean - real[1:][there]
            inside = (real[1:][there] >= low) & (real[1:][there] <= high)
            row[side] = {
                "bias": float(error.mean()),
                "rmse": float(np.sqrt((error**2).mean())),
                "coverage": float(inside.mean()),
            }
        rows.append(row)
    return rows


def compared(platform: Platform, found: Sequence[Found], told: Sequence[list[Json]]) -> Json:
    """Scenarios side by side: key figures with differences to the first, alarms, assumptions."""
    first = found[0]
    return {
        "baseline": first[0],
        "scenarios": [
            {
                "id": key,
                "title": platform.scenarios.document(key).get("title") or key,
                **{name: document[name] for name in HEAD},
                "kpis": _kpis(first, one),
                "alarms": document["alarms"],
                "sweep": document["sweep"] is not None,
                "happened": row,
                "isPast": document["at"] < to_iso(platform.clock()),
            }
            for one, row in zip(found, told, strict=True)
            for key, document, _ in [one]
        ],
    }


HEAD = ("at", "to", "members", "seed", "boundary", "changes", "assumptions", "series")


def _kpis(first: Found, one: Found) -> list[Json]:
    """The figures of a scenario; `toFirst` is the difference to the first of those compared."""
    place = {row["id"]: i for i, row in enumerate(first[1]["kpis"])}
    rows = []
    for i, row in enumerate(one[1]["kpis"]):
        other = place.get(row["id"])
        rows.append({**row, "toFirst": None if other is None else _to_first(first, other, one, i)})
    return rows


def _to_first(first: Found, other: int, one: Found, place: int) -> Json:
    """Member by member where both drew alike; else of all pairs."""
    a = np.asarray(first[2]["figures"][other], float)
    b = np.asarray(one[2]["figures"][place], float)
    same = ("seed", "at", "members", "boundary")
    is_paired = all(first[1][n] == one[1][n] for n in same) and len(a) == len(b)
    if is_paired:
        return {**difference(a, b), "isPaired": True}
    spread = band((b[:, None] - a[None, :]).reshape(-1))
    sure = spread["low"] is not None and (spread["low"] > 0 or spread["high"] < 0)
    return {**spread, "sure": bool(sure), "isPaired": False}


def _plain(values: Any) -> list[float | None]:
    return [None if not np.isfinite(v) else float(v) for v in np.asarray(values, float)]
