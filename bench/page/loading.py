"""What is fetched first, until the page answers, and without the network."""

from __future__ import annotations

import gzip
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from e2e.browsing import Visitor, visiting
from e2e.plants import motors, send, set_up
from page.rows import KIB, WEB, Bench, Row, at_most, row
from running import Running


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


OFFLINE = """() => {
  const isThere = () => document.querySelector("[data-testid=faceplate] [data-path]") !== null
    && document.querySelector("[data-testid=offline-strip]")?.innerText.includes("saved data");
  return new Promise((resolve) => {
    const look = () => isThere() ? resolve(performance.now()) : requestAnimationFrame(look);
    look();
  });
}"""


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
