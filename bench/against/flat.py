"""Whether what was sampled under a steady load is flat."""

from __future__ import annotations

from typing import Any

import numpy as np

GROWTH = 0.10
"""Of its median, that memory may grow."""
LAG = 0.25
"""Seconds that the lag may grow."""
HEAP = 5.0
"""MB that an open page's heap may grow."""


def trend(samples: list[dict[str, float]], name: str) -> dict[str, float]:
    """A line through the samples after the first fifth."""
    kept = samples[len(samples) // 5 :]
    minutes = np.array([one["minute"] for one in kept])
    values = np.array([one[name] for one in kept])
    slope = float(np.polyfit(minutes, values, 1)[0]) if len(kept) > 2 else float("nan")
    grown = slope * float(minutes[-1] - minutes[0])
    return {"per_hour": slope * 60, "grown": grown, "median": float(np.median(values))}


def verdict(samples: list[dict[str, float]]) -> dict[str, Any]:
    """What grew of what was sampled, beside what it may grow; the page only if there was one."""
    bounds = {
        "memory": ("rss_mb", GROWTH, None),
        "lag": ("lag_s", None, LAG),
        "page_heap": ("page_heap_mb", None, HEAP),
        "page_nodes": ("page_nodes", GROWTH, None),
    }
    found: dict[str, Any] = {}
    for kind, (name, share, bound) in bounds.items():
        if name in samples[-1]:
            line = trend(samples, name)
            limit = bound if bound is not None else (share or 0.0) * line["median"]
            found[kind] = {**line, "bound": limit, "is_flat": line["grown"] < limit}
    return found
