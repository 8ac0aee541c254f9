"""The form in which benches print their figures: one object with the machine and rows."""

from __future__ import annotations

import json
import math
import statistics
from typing import Any

KEYS = (
    "readings_per_s", "messages_per_s", "lost", "p50_ms", "p99_ms", "cpu_s", "rss_mb",
    "bytes_per_reading", "ratio",
)  # fmt: skip


def row(figures: dict[str, Any]) -> dict[str, Any]:
    """A row with every key, null where there is no figure."""
    return finite({**dict.fromkeys(KEYS), **figures})  # type: ignore[no-any-return]


def whole(machine: dict[str, object], rows: list[dict[str, Any]]) -> str:
    return json.dumps({"machine": machine, "rows": rows})


def medians(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Of several runs; of what was lost, the most."""
    result: dict[str, Any] = {}
    for key in found[0]:
        values = [one[key] for one in found]
        if isinstance(values[0], dict):
            result[key] = medians(values)
        elif None in values:
            result[key] = None
        else:
            result[key] = max(values) if key == "lost" else statistics.median(values)
    return result


def finite(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
