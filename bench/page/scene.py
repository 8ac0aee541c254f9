"""The plant in 3D: its budgets, and its rest."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from typing import Any

from e2e.browsing import Visitor, visiting
from page.rows import Bench, Row, at_most, row

FRAMES = """(count) => new Promise((resolve) => {
  const canvas = document.querySelector("canvas.plant-canvas");
  const costs = [];
  let seen = canvas.dataset.frames;
  const turn = () => canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
  const look = () => {
    if (canvas.dataset.frames !== seen) {
      seen = canvas.dataset.frames;
      costs.push(["cost", "calls", "triangles"].map((name) => Number(canvas.dataset[name])));
      if (costs.length >= count) return resolve(costs);
      turn();
    }
    requestAnimationFrame(look);
  };
  turn();
  look();
})"""


FRAMES_TURNED = 40
TRACED = ("devtools.timeline", "toplevel")


def scene_budgets(bench: Bench) -> list[Row]:
    """1,000 machines of 16 kinds and 10,000 sensors, turned through 40 frames, and 40 traced ones.

    By the wall a frame also waits for the processor, which software graphics share with it.
    """
    rows = []
    phone = {"size": (390, 844), "has_touch": True, "is_mobile": True}
    for words, most, options in (("", 150_000, {"size": (1280, 720)}), (", phone", 60_000, phone)):
        with visiting(bench.browser, bench.running, **options) as visitor:
            bench.in_3d(visitor)
            visitor.page.evaluate(FRAMES, 5)
            seen = visitor.page.evaluate(FRAMES, FRAMES_TURNED)
            costs, calls, triangles = zip(*seen, strict=True)
            rows.append(at_most(f"3D draw calls{words}", 40, max(calls), ""))
            rows.append(at_most(f"3D triangles{words}", most, max(triangles), ""))
            rows.append(at_most(f"3D JS per frame, p50{words}", 3, statistics.median(costs), "ms"))
            rows.append(at_most(f"3D JS per frame, p95{words}", 8, p95(costs), "ms"))
            own, whole = traced(bench, visitor)
            rows.append(at_most(f"3D JS per frame, processor, p95{words}", 8, p95(own), "ms"))
            rows.append(at_most(f"all the page's JS for a frame{words}", 8, whole, "ms"))
    return rows


def p95(values: Sequence[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


def traced(bench: Bench, visitor: Visitor) -> tuple[list[float], float]:
    """Processor time in ms of each frame's own script, and a frame's share of all the script."""
    bench.browser.start_tracing(page=visitor.page, categories=list(TRACED))
    visitor.page.evaluate(FRAMES, FRAMES_TURNED)
    events: list[Any] = json.loads(bench.browser.stop_tracing())["traceEvents"]
    calls = [one for one in events if one["name"] == "FunctionCall" and one["ph"] == "X"]
    page = [(one["args"]["data"].get("url", ""), one.get("tdur", 0) / 1000) for one in calls]
    own = [spent for url, spent in page if "/assets/view-" in url]
    assert len(own) >= FRAMES_TURNED, "the trace holds no frames"
    all_of_it = sum(spent for url, spent in page if "/assets/" in url and "/worker-" not in url)
    return own, all_of_it / FRAMES_TURNED


IDLE = """() => new Promise((resolve) => {
  const canvas = document.querySelector("canvas.plant-canvas");
  let [start, before] = [performance.now(), Number(canvas.dataset.frames)];
  const look = () => performance.now() - start > 3000
    ? resolve(Number(canvas.dataset.frames) - before) : requestAnimationFrame(look);
  look();
})"""


def idle_scene(bench: Bench) -> list[Row]:
    """Frames drawn in 3 s while nothing changes; WebGL contexts that live."""
    with visiting(bench.browser, bench.running, size=(1280, 720)) as visitor:
        bench.in_3d(visitor)
        visitor.page.evaluate(FRAMES, 2)
        visitor.page.evaluate(IDLE)
        frames = visitor.page.evaluate(IDLE)
        contexts = visitor.page.evaluate("() => document.querySelectorAll('canvas').length")
    return [
        row("idle scene, frames in 3 s", "0", frames, frames == 0),
        row("canvases on Plant 3D", "1", contexts, contexts == 1),
    ]
