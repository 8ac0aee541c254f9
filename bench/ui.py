"""The page against its targets, in a real Chromium with software graphics on the real server.

Usage: scripts/bench ui [--json]

Each row is one function below: its name, its target, and what was measured. Sizes and counts are
budgets; times are those of this machine (software graphics), so read them as +-30 %.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from e2e.browsing import ARGUMENTS, CHROMIUM, Visitor, eventually, visiting
from e2e.plants import MOTOR, large_scene, motors, send, set_up
from running import Running

WEB = Path(__file__).parents[1] / "src" / "gemel" / "_web"
KIB = 1024
MACHINES, SENSORS = 1_000, 10_000


@dataclass
class Bench:
    """What every row may use: a browser, and a server with a large plant."""

    browser: Browser
    running: Running

    def in_3d(self, visitor: Visitor) -> None:
        visitor.log_in(at="/app/plant")
        visitor.page.wait_for_selector("html[data-scene=ready]", state="attached")
        visitor.until("document.querySelector('canvas.plant-canvas').dataset.frames > 0")


Row = dict[str, Any]
ROWS: list[Callable[[Bench], list[Row]]] = []


def measure(rows: Callable[[Bench], list[Row]]) -> Callable[[Bench], list[Row]]:
    ROWS.append(rows)
    return rows


def row(name: str, target: str, value: float | str, is_ok: bool) -> Row:
    return {"name": name, "target": target, "value": value, "ok": is_ok}


def at_most(name: str, most: float, value: float, unit: str) -> Row:
    return row(name, f"<= {most:g} {unit}".strip(), round(value, 2), value <= most)


@measure
def first_load(_: Bench) -> list[Row]:
    """What the browser fetches before any 3D, packed; and the scene's own chunk."""
    manifest = json.loads((WEB / "manifest.json").read_text("utf-8"))
    pages = json.loads((WEB / "pages.json").read_text("utf-8"))
    first = _files(manifest, "index.html") | {*pages["overview"], *pages["plot"]}
    first |= {f"assets/{file.name}" for file in (WEB / "assets").glob("worker-*.js")}
    scene = _files(manifest, "src/scene/view.ts") | _files(manifest, "src/plant/page.tsx")
    whatif = _files(manifest, "src/whatif/page.tsx") | _files(manifest, "src/charts/bands.ts")
    graph = _files(manifest, "src/twins/graph-draw.ts")
    return [
        at_most("What-if beyond the first load, gz", 20, _packed(whatif - first), "KiB"),
        at_most("first load, JS and CSS, gz", 90, _packed(first), "KiB"),
        at_most("scene chunk with Plant 3D, gz", 200, _packed(scene - first), "KiB"),
        at_most("graph chunk, gz", 60, _packed(graph - first), "KiB"),
    ]


def _files(manifest: Any, name: str, seen: set[str] | None = None) -> set[str]:
    seen = set() if seen is None else seen
    chunk = manifest.get(name)
    if chunk is None or chunk["file"] in seen:
        return seen
    seen.update([chunk["file"], *chunk.get("css", [])])
    for inner in chunk.get("imports", []):
        _files(manifest, inner, seen)
    return seen


def _packed(files: set[str]) -> float:
    return sum(len(gzip.compress((WEB / file).read_bytes(), 9)) for file in files) / KIB


INTERACTIVE = """() => new Promise((resolve) => {
  const look = () => document.documentElement.dataset.ready === "true"
    ? resolve(performance.now()) : requestAnimationFrame(look);
  look();
})"""


@measure
def time_to_interactive(bench: Bench) -> list[Row]:
    """From the address to a page that answers, with values: warm server, cold page."""
    rows = []
    for words, most, is_slow in (("desktop", 1.0, False), ("4x CPU, 1.6 Mbit/s", 3.0, True)):
        times = []
        for _ in range(3):
            cold = {"size": (1440, 900), "service_workers": "block"}  # nothing kept before
            with visiting(bench.browser, bench.running, **cold) as visitor:
                visitor.log_in(at="/app/alarms")
                cdp = visitor.context.new_cdp_session(visitor.page)
                cdp.send("Network.clearBrowserCache")
                if is_slow:
                    cdp.send("Emulation.setCPUThrottlingRate", {"rate": 4})
                    speed = 1.6e6 / 8
                    conditions = {"offline": False, "latency": 150}
                    conditions |= {"downloadThroughput": speed, "uploadThroughput": speed}
                    cdp.send("Network.emulateNetworkConditions", conditions)
                visitor.page.goto(bench.running.url + "/app/alarms")
                times.append(visitor.page.evaluate(INTERACTIVE) / 1000)
        rows.append(at_most(f"time to interactive, {words}", most, statistics.median(times), "s"))
    return rows


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


@measure
def scene_budgets(bench: Bench) -> list[Row]:
    """1,000 machines of 16 kinds and 10,000 sensors, turned through 40 frames."""
    rows = []
    phone = {"size": (390, 844), "has_touch": True, "is_mobile": True}
    for words, most, options in (("", 150_000, {"size": (1280, 720)}), (", phone", 60_000, phone)):
        with visiting(bench.browser, bench.running, **options) as visitor:
            bench.in_3d(visitor)
            visitor.page.evaluate(FRAMES, 5)
            costs, calls, triangles = zip(*visitor.page.evaluate(FRAMES, 40), strict=True)
            rows.append(at_most(f"3D draw calls{words}", 40, max(calls), ""))
            rows.append(at_most(f"3D triangles{words}", most, max(triangles), ""))
            rows.append(at_most(f"3D JS per frame, p50{words}", 3, statistics.median(costs), "ms"))
            p95 = sorted(costs)[int(len(costs) * 0.95)]
            rows.append(at_most(f"3D JS per frame, p95{words}", 8, p95, "ms"))
    return rows


OFFLINE = """() => {
  const isThere = () => document.querySelector("[data-testid=faceplate] [data-path]") !== null
    && document.querySelector("[data-testid=offline-strip]")?.innerText.includes("saved data");
  return new Promise((resolve) => {
    const look = () => isThere() ? resolve(performance.now()) : requestAnimationFrame(look);
    look();
  });
}"""


@measure
def offline(bench: Bench) -> list[Row]:
    """A kept twin, reloaded with the server gone: until its values and the strip are there."""
    times = []
    with tempfile.TemporaryDirectory(prefix="gemel-bench-ui-") as folder:
        with Running(Path(folder) / "data") as running:
            set_up(running, motors(30))
            send(running, "motor-1", vibration=1.5, temperature=40.0)
            phone = {"size": (390, 844), "has_touch": True, "is_mobile": True}
            visitor = Visitor(bench.browser, running, **phone)
            visitor.log_in(at="/app/twins/motor-1")
            visitor.until("navigator.serviceWorker.controller !== null")
            visitor.find("keep-button").click()
            visitor.page.get_by_text("is kept on this device").wait_for()
            cdp = visitor.context.new_cdp_session(visitor.page)
            found = cdp.send("Page.getInstallabilityErrors")["installabilityErrors"]
        for _ in range(3):
            visitor.page.reload()
            times.append(visitor.page.evaluate(OFFLINE) / 1000)
        visitor.close()
    errors = sorted({one["errorId"] for one in found} - {"in-incognito"})
    return [
        at_most("offline reload of a kept twin", 1.0, statistics.median(times), "s"),
        row("install errors but in-incognito", "none", ", ".join(errors) or "none", not errors),
    ]


IDLE = """() => new Promise((resolve) => {
  const canvas = document.querySelector("canvas.plant-canvas");
  let [start, before] = [performance.now(), Number(canvas.dataset.frames)];
  const look = () => performance.now() - start > 3000
    ? resolve(Number(canvas.dataset.frames) - before) : requestAnimationFrame(look);
  look();
})"""


@measure
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


ALARMS, FLOOD = 10_000, 1_000
INPUTS = """() => {
  window.inputs = [];
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) if (one.interactionId) window.inputs.push(one.duration);
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


def _alarms(running: Running, first: int, count: int) -> None:
    now = running.call("GET", "/status")["time"]
    rows = [
        {"twin": f"flood-{n}", "time": now, "vibration": 9.0} for n in range(first, first + count)
    ]
    running.call("POST", "/ingest", rows)


def _open(running: Running) -> int:
    counts = running.call("GET", "/status")["alarms"]
    return sum(counts[str(priority)] for priority in (1, 2, 3, 4))


@measure
def alarm_flood(bench: Bench) -> list[Row]:
    """Many open alarms in the list: scrolled; then a flood of more while keys are pressed."""
    plant = motors(1)
    wanted = {f"flood-{n}": {"model": MOTOR} for n in range(1, ALARMS + FLOOD + 1)}
    bench.running.call("POST", "/plant", {**plant, "twins": wanted})
    _alarms(bench.running, 1, ALARMS)
    eventually(lambda: _open(bench.running) >= ALARMS, "the alarms")
    with visiting(bench.browser, bench.running, size=(1440, 900)) as visitor:
        visitor.log_in(at="/app/alarms")
        visitor.until(f"document.querySelector('[aria-setsize=\"{ALARMS}\"]') !== null")
        rows_there = visitor.page.locator("[data-testid=alarm-row]").count()
        spans = visitor.page.evaluate(SCROLL, 60)
        visitor.page.evaluate(INPUTS)
        done = threading.Event()

        def flood() -> None:
            for start in range(0, FLOOD, 10):
                _alarms(bench.running, ALARMS + 1 + start, 10)
                done.wait(0.1)  # a thousand in about ten seconds

        sender = threading.Thread(target=flood)
        sender.start()
        while sender.is_alive():
            visitor.page.keyboard.press("j")
        sender.join()
        inputs = sorted(visitor.page.evaluate("() => window.inputs")) or [0.0]
    return [
        at_most(f"rows of {ALARMS:,} alarms that are in the page", 60, rows_there, ""),
        at_most(f"scrolling {ALARMS:,} alarms, frame, p50", 34, statistics.median(spans), "ms"),
        at_most(
            f"INP during a flood of {FLOOD} more, p98 of {len(inputs)} keys above 16 ms",
            200,
            inputs[int(len(inputs) * 0.98)],
            "ms",
        ),
    ]


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


@measure
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


@measure
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
            visitor.log_in(at="/app/value")
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


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--only", help="rows of this function alone")
    given = arguments.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="gemel-bench-ui-") as folder, sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=ARGUMENTS, chromium_sandbox=False
        )
        with Running(Path(folder) / "data") as running:
            scene = large_scene(MACHINES, SENSORS)
            set_up(running, {**motors(MACHINES), "scene": scene})
            for rows_of in ROWS:
                if given.only in (None, rows_of.__name__):
                    rows += rows_of(Bench(browser, running))
        browser.close()
    if given.json:
        print(json.dumps({"rows": rows}))
    else:
        for one in rows:
            mark = "ok " if one["ok"] else "NOT"
            print(f"{mark} {one['name']:<44} {one['target']:<16} {one['value']}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
