"""Whether what was sampled under a steady load is flat."""

from __future__ import annotations

from typing import Any

import numpy as np

GROWTH = 0.10
"""Of its median, that memory may grow."""
LAG = 0.25
"""Seconds that the lag may grow."""


def trend(samples: list[dict[str, float]], name: str) -> dict[str, float]:
    """A line through the samples after the first fifth."""
    kept = samples[len(samples) // 5 :]
    minutes = np.array([one["minute"] for one in kept])
    values = np.array([one[name] for one in kept])
    slope = float(np.polyfit(minutes, values, 1)[0]) if len(kept) > 2 else float("nan")
    grown = slope * float(minutes[-1] - minutes[0])
    return {"per_hour": slope * 60, "grown": grown, "median": float(np.median(values))}


def verdict(samples: list[dict[str, float]]) -> dict[str, Any]:
    memory, lag = trend(samples, "rss_mb"), trend(samples, "lag_s")
    return {
        "memory": {**memory, "bound": GROWTH * memory["median"],
                   "is_flat": memory["grown"] < GROWTH * memory["median"]},
        "lag": {**lag, "bound": LAG, "is_flat": lag["grown"] < LAG},
    }  # fmt: skip
