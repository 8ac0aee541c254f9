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
SPAN = 2.0
"""Minutes of which the least and the most memory is taken: a merge takes more and gives it back."""


def trend(samples: list[dict[str, float]], name: str) -> dict[str, float]:
    """A line through samples."""
    minutes = np.array([one["minute"] for one in samples])
    values = np.array([one[name] for one in samples])
    slope = float(np.polyfit(minutes, values, 1)[0]) if len(samples) > 2 else float("nan")
    grown = slope * float(minutes[-1] - minutes[0])
    return {"per_hour": slope * 60, "grown": grown, "median": float(np.median(values))}


def edges(samples: list[dict[str, float]], name: str) -> tuple[list[dict[str, float]], ...]:
    """Of each span of time the sample with the least, and the one with the most."""
    spans: dict[float, list[dict[str, float]]] = {}
    for one in samples:
        spans.setdefault(one["minute"] // SPAN, []).append(one)
    ordered = [sorted(span, key=lambda one: one[name]) for span in spans.values()]
    return [span[0] for span in ordered], [span[-1] for span in ordered]


def verdict(samples: list[dict[str, float]]) -> dict[str, Any]:
    """What grew of what was sampled after a first fifth, beside what it may grow.

    The page only if there was one.
    """
    kept = samples[len(samples) // 5 :]
    least, most = edges(kept, "rss_mb")
    bounds = {
        "memory_least": (least, "rss_mb", GROWTH, None),
        "memory_most": (most, "rss_mb", GROWTH, None),
        "lag": (kept, "lag_s", None, LAG),
        "page_heap": (kept, "page_heap_mb", None, HEAP),
        "page_nodes": (kept, "page_nodes", GROWTH, None),
    }
    found: dict[str, Any] = {}
    for kind, (chosen, name, share, bound) in bounds.items():
        if name in samples[-1]:
            line = trend(chosen, name)
            limit = bound if bound is not None else (share or 0.0) * line["median"]
            found[kind] = {**line, "bound": limit, "is_flat": line["grown"] < limit}
    return found
