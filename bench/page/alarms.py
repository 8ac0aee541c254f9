"""A flood of alarms in the list: scrolled, worked on with keys, acknowledged by the hundred."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from e2e.browsing import Visitor, eventually, visiting
from e2e.plants import MOTOR, motors
from page.rows import Bench, Row, at_most, row
from running import Running

ALARMS, FLOOD, SELECTED = 10_000, 1_000, 500
SECONDS = 10
INPUTS = """() => {
  window.inputs = {};
  new PerformanceObserver((list) => {
    for (const { interactionId: id, duration } of list.getEntries()) {
      if (id) window.inputs[id] = Math.max(window.inputs[id] ?? 0, duration);
    }
  }).observe({ type: "event", durationThreshold: 16 });
}"""
SCROLL = """(count) => new Promise((resolve) => {
  const box = document.querySelector(".alarm-main");
  const spans = [];
  let before = performance.now();
  const step = (now) => {
    spans.push(now - before);
    before = now;
    box.scrollBy(0, 400);
    spans.length < count ? requestAnimationFrame(step) : resolve(spans.slice(1));
  };
  requestAnimationFrame(step);
})"""
ACKNOWLEDGED = """() => new Promise((resolve) => {
  const start = performance.now();
  document.querySelector("[data-testid=comment-send]").click();
  const isLeft = (one) => one.dataset.state === "unacknowledged";
  const look = () => document.querySelector("[data-testid=comment-send]")
    || [...document.querySelectorAll("[data-testid=alarm-row]")].some(isLeft)
    ? requestAnimationFrame(look) : resolve(performance.now() - start);
  look();
})"""


def alarm_flood(bench: Bench) -> list[Row]:
    """Ten thousand open alarms; then a thousand more in ten seconds while keys are pressed."""
    with (
        tempfile.TemporaryDirectory(prefix="gemel-bench-flood-") as folder,
        Running(Path(folder) / "data") as running,
    ):
        wanted = {f"flood-{n}": {"model": MOTOR} for n in range(1, ALARMS + FLOOD + 1)}
        running.call("POST", "/plant", {**motors(1), "twins": wanted})
        _raise(running, range(1, ALARMS + 1 - SELECTED), vibration=9.0)
        _raise(running, range(1, SELECTED + 1), temperature=95.0)
        eventually(lambda: _open(running) >= ALARMS, "the alarms")
        with visiting(bench.browser, running, size=(1440, 900)) as visitor:
            visitor.log_in(at="/app/alarms")
            visitor.page.wait_for_selector("[data-testid=alarm-row]")
            counted = visitor.find("counter-p1").get_attribute("data-count")
            visitor.until("Number(document.querySelector('[aria-setsize]').ariaSetSize) >= 5000")
            rows = _scrolled(visitor)
            rows += _flooded(visitor, running)
            rows.append(_acknowledged(visitor))
    says = f"{ALARMS - SELECTED:,}"
    is_true = counted == str(ALARMS - SELECTED)
    return [row("critical alarms that the header counts", says, counted or "", is_true), *rows]


def _raise(running: Running, numbers: range, **values: float) -> None:
    with running.http() as client:
        _send(client, numbers, **values)


def _send(client: httpx.Client, numbers: range, **values: float) -> None:
    now = time.time_ns() // 1_000_000
    rows: list[dict[str, Any]] = [{"twin": f"flood-{n}", "time": now, **values} for n in numbers]
    client.post("/ingest", json=rows).raise_for_status()


def _open(running: Running) -> int:
    counts = running.call("GET", "/status")["alarms"]
    return sum(counts[str(priority)] for priority in (1, 2, 3, 4))


def _scrolled(visitor: Visitor) -> list[Row]:
    there = visitor.page.locator("[data-testid=alarm-row]").count()
    spans = sorted(visitor.page.evaluate(SCROLL, 90))
    what = f"scrolling {ALARMS:,} alarms, frame"
    return [
        at_most(f"rows of {ALARMS:,} alarms that are in the page", 60, there, ""),
        at_most(f"{what}, p50", 34, statistics.median(spans), "ms"),
        at_most(f"{what}, p95", 50, spans[int(len(spans) * 0.95)], "ms"),
    ]


def _flooded(visitor: Visitor, running: Running) -> list[Row]:
    visitor.page.evaluate(INPUTS)
    done = threading.Event()

    def flood() -> None:
        begin = time.monotonic()
        with running.http() as client:
            for sent in range(0, FLOOD, 10):
                first = ALARMS + 1 + sent
                _send(client, range(first, first + 10), vibration=9.0)
                done.wait(begin + SECONDS * (sent + 10) / FLOOD - time.monotonic())

    sender = threading.Thread(target=flood)
    sender.start()
    pressed = 0
    while sender.is_alive():
        visitor.page.keyboard.press("j")
        pressed += 1
    sender.join()
    inputs = sorted(visitor.page.evaluate("() => Object.values(window.inputs)"))
    inputs = [0.0] * (pressed - len(inputs)) + inputs  # those under 16 ms are not told
    p98 = inputs[int(len(inputs) * 0.98)]
    return [at_most(f"INP while {FLOOD:,} more come, p98 of {pressed} keys", 200, p98, "ms")]


def _acknowledged(visitor: Visitor) -> Row:
    """Chooses the five hundred of high priority and acknowledges all of them."""
    visitor.move("/app/alarms?priority=2")
    visitor.until(f"document.querySelector('[aria-setsize=\"{SELECTED}\"]') !== null")
    visitor.page.keyboard.press("j")
    visitor.page.keyboard.press("x")
    visitor.find("select-all").click()
    visitor.page.keyboard.press("a")
    visitor.find("comment-send").wait_for()
    took = visitor.page.evaluate(ACKNOWLEDGED)
    return at_most(f"{SELECTED} chosen alarms are acknowledged", 1000, took, "ms")
