"""Ten thousand values a second in the page: when they are seen, what they cost, what stays."""

from __future__ import annotations

import threading
import time
from typing import Any

from e2e.browsing import Visitor, visiting
from page.rows import MACHINES, Bench, Row, at_most
from running import Running

A_SECOND = 10
LIVE_SECONDS = 10
LONG = """() => {
  window.long = [];
  const keep = (list) => window.long.push(...list.getEntries().map((one) => one.duration));
  new PerformanceObserver(keep).observe({ type: "longtask" });
}"""
SEEN = """(seconds) => new Promise((resolve) => {
  const ages = [];
  const look = () => {
    const shown = document.querySelector("[data-path=vibration] .number").textContent;
    if (shown !== look.before) ages.push((Date.now() - Number(shown) * 1000 + 1e9) % 1000);
    look.before = shown;
    performance.now() - start < seconds * 1000 ? requestAnimationFrame(look) : resolve(ages);
  };
  const start = performance.now();
  look();
})"""


class Stream(threading.Thread):
    """Sends a value of every machine ten times a second; it says the part of its second."""

    def __init__(self, running: Running) -> None:
        super().__init__(daemon=True)
        self.done = threading.Event()
        self.sent, self.began = 0, time.monotonic()
        self._running = running

    def run(self) -> None:
        with self._running.http() as client:
            while not self.done.is_set():
                now = time.time_ns() // 1_000_000
                value = now % 1000 / 1000
                rows: list[dict[str, Any]] = [
                    {"twin": f"motor-{n}", "time": now, "vibration": value}
                    for n in range(1, MACHINES + 1)
                ]
                client.post("/ingest", json=rows).raise_for_status()
                self.sent += len(rows)
                due = self.began + self.sent / len(rows) / A_SECOND
                self.done.wait(max(0.0, due - time.monotonic()))

    def stop(self) -> float:
        """How many values a second there were."""
        self.done.set()
        self.join()
        return self.sent / (time.monotonic() - self.began)


def live_stream(bench: Bench) -> list[Row]:
    """A faceplate, then a chart with its table, while values pour in."""
    rows: list[Row] = []
    with visiting(bench.browser, bench.running, size=(1440, 900)) as visitor:
        stream = Stream(bench.running)
        stream.start()
        visitor.log_in(at="/app/twins/motor-1")
        visitor.page.wait_for_selector("[data-path=vibration] .number")
        ages = sorted(visitor.page.evaluate(SEEN, LIVE_SECONDS))
        p95 = ages[int(len(ages) * 0.95)]
        rows.append(at_most(f"from the device to the glass, p95 of {len(ages)}", 250, p95, "ms"))
        visitor.move("/app/trends?panels=motor-1:vibration|motor-2:vibration;table")
        visitor.page.wait_for_selector("[data-chart-state=ready] canvas")
        visitor.page.evaluate(LONG)
        visitor.page.wait_for_timeout(LIVE_SECONDS * 1000)
        longest = max(visitor.page.evaluate("() => window.long"), default=0.0)
        rate = stream.stop()
    says = f"longest task at {rate:,.0f} values/s, chart and table"
    return [*rows, at_most(says, 50, longest, "ms")]


def kept_open(bench: Bench, minutes: float) -> list[Row]:
    """The overview open for some time under load: what the heap and the document grow by."""
    with visiting(bench.browser, bench.running, size=(1440, 900)) as visitor:
        stream = Stream(bench.running)
        stream.start()
        visitor.log_in(at="/app/overview")
        visitor.page.wait_for_timeout(15_000)
        before = _held(visitor)
        visitor.page.wait_for_timeout(minutes * 60_000)
        after = _held(visitor)
        stream.stop()
    heap, nodes = (after[0] - before[0]) / 2**20, after[1] - before[1]
    return [
        at_most(f"heap growth in {minutes:g} min under load", 5, heap, "MB"),
        at_most(f"more DOM nodes after {minutes:g} min", 100, nodes, ""),
    ]


def _held(visitor: Visitor) -> tuple[float, float]:
    cdp = visitor.context.new_cdp_session(visitor.page)
    cdp.send("Performance.enable")
    for _ in range(2):
        cdp.send("HeapProfiler.collectGarbage")
    metrics = {one["name"]: one["value"] for one in cdp.send("Performance.getMetrics")["metrics"]}
    return cdp.send("Runtime.getHeapUsage")["usedSize"], metrics["Nodes"]
