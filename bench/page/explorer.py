"""A hundred thousand twins."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

from e2e.browsing import visiting
from e2e.plants import motors
from page.rows import Bench, Row, at_most
from running import Running

TWINS, EACH = 100_000, 100
SCROLL = """() => new Promise((resolve) => {
  const box = document.querySelector("[data-testid=twin-box]");
  const costs = [];
  let [last, step] = [performance.now(), 0];
  const go = () => {
    const now = performance.now();
    if (step > 0) costs.push(now - last);
    last = now;
    box.scrollTop = box.scrollHeight * (step++ / 60);
    if (step <= 60) requestAnimationFrame(go);
    else resolve(costs.sort((a, b) => a - b));
  };
  go();
})"""
ROWS_SHOWN = """(path) => new Promise((resolve) => {
  const start = performance.now();
  history.pushState(null, "", path);
  dispatchEvent(new PopStateEvent("popstate"));
  const look = () => document.querySelector("[data-testid=twin-row] a")
    ? resolve(performance.now() - start) : requestAnimationFrame(look);
  look();
})"""


def explorer_of_many(bench: Bench) -> list[Row]:
    """100,000 twins in 1,000 lines: questions, the table's first rows, scrolling through all."""
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory(prefix="gemel-bench-many-") as folder,
        Running(Path(folder) / "data") as running,
    ):
        fill_with_many(running)
        with running.http() as client:
            for words, asked in (
                ("by status", {"status": "live"}),
                ("sorted by name", {"sort": "-name", "offset": "50000"}),
                ("where vibration > 9", {"where": "vibration > 9", "show": "vibration"}),
            ):
                client.get("/twins", params=asked).raise_for_status()  # columns are there
                times = [client.get("/twins", params=asked).elapsed for _ in range(7)]
                median = statistics.median(one.total_seconds() * 1000 for one in times)
                rows.append(at_most(f"a page of 100,000 twins {words}", 250, median, "ms"))
        with visiting(bench.browser, running, size=(1440, 900)) as visitor:
            visitor.log_in(at="/app/commands")
            shown = visitor.page.evaluate(ROWS_SHOWN, "/app/twins?sort=name")
            rows.append(at_most("first rows of 100,000 twins", 1.0, shown / 1000, "s"))
            visitor.page.wait_for_selector("[data-tree-id]")
            visitor.page.evaluate(SCROLL)
            costs = visitor.page.evaluate(SCROLL)
            p95 = costs[int(len(costs) * 0.95)]
            rows.append(at_most("scrolling 100,000 twins, frame p95", 50, p95, "ms"))
    return rows


def fill_with_many(running: Running) -> None:
    """Lines with a hundred motors each, a tenth of which have sent a value."""
    plant = motors(1)
    hall, motor = plant["twins"]["hall-1"]["model"], plant["twins"]["motor-1"]["model"]
    twins: dict[str, Any] = {}
    for line in range(TWINS // EACH):
        inner = [f"m-{n}" for n in range(line * EACH + 1, (line + 1) * EACH)]
        twins |= {one: {"model": motor, "name": f"Motor {one[2:]}"} for one in inner}
        twins[f"line-{line}"] = {"model": hall, "name": f"Line {line}", "contains": inner}
    sent = [{"twin": t, "vibration": n % 97 / 10} for n, t in enumerate(twins) if n % 10 == 0]
    with running.http() as client:
        plant |= {"twins": twins, "rules": []}
        client.post("/plant", json=plant, timeout=300).raise_for_status()
        sent = [one for one in sent if one["twin"].startswith("m-")]
        client.post("/ingest", json=sent, timeout=60).raise_for_status()
