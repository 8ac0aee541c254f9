"""A chart of a million readings."""

from __future__ import annotations

import math
import statistics
from datetime import datetime

from e2e.browsing import visiting
from page.rows import KIB, Bench, Row, at_most

READINGS = 1_000_000
ZOOM = """(share) => new Promise((resolve) => {
  const box = document.querySelector(".trend-box");
  const over = box.querySelector(".u-over");
  const { left, top, width } = over.getBoundingClientRect();
  const point = (kind, at) => over.dispatchEvent(new PointerEvent(kind, { bubbles: true, button: 0,
    pointerId: 1, clientX: left + width * at, clientY: top + 40 }));
  over.setPointerCapture = () => undefined;
  const before = box.dataset.drawn;
  point("pointerdown", 0.5 - share / 2);
  point("pointermove", 0.5 + share / 2);
  const start = performance.now();
  point("pointerup", 0.5 + share / 2);
  const look = () => box.dataset.drawn !== before
    ? requestAnimationFrame(() => resolve(performance.now() - start)) : requestAnimationFrame(look);
  look();
})"""


def zoom_a_million(bench: Bench) -> list[Row]:
    """One chart of 1,000,000 readings of a week, zoomed by dragging; and the answer's size."""
    end = bench.running.call("GET", "/status")["time"]
    day, step = 86_400_000, 604_800_000 / READINGS
    start = int(datetime.fromisoformat(end).timestamp() * 1000) - 7 * day
    for begin in range(0, READINGS, 100_000):
        numbers = range(begin, begin + 100_000)
        columns = {
            "time": [start + round(n * step) for n in numbers],
            "vibration": [3 + 2 * math.sin(n / 20_000) + n % 97 / 200 for n in numbers],
        }
        bench.running.call("POST", "/ingest/motor-1", columns)
    times, sizes = [], []
    with visiting(bench.browser, bench.running, size=(1440, 900)) as visitor:
        path = f"/app/trends?panels=motor-1:vibration;wide&window={start}~{start + 7 * day}"
        visitor.page.on(
            "response", lambda r: sizes.append(len(r.body())) if "/history?" in r.url else None
        )
        visitor.log_in(at=path)
        visitor.page.wait_for_selector("[data-chart-state=ready] .u-over")
        for share in (0.6, 0.6, 0.5, 0.5, 0.3):
            times.append(visitor.page.evaluate(ZOOM, share))
        visitor.page.wait_for_load_state("networkidle")
    return [
        at_most("zoom into 1 M readings, median", 400, statistics.median(times), "ms"),
        at_most("zoom into 1 M readings, slowest", 400, max(times), "ms"),
        at_most("answer to a chart of 1 M readings", 100, max(sizes) / KIB, "KiB"),
    ]
