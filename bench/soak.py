"""Hours in minutes: a steady load with queries, rules and a page open; is anything growing?

Each sample holds the server's memory, how far behind the newest reading is (`lag_s`: now, less the
time of the newest stored reading of one device, less its period), and how long queries took. The
verdict is of the samples after a first fifth: memory is flat if neither the least-squares line
through the least of each two minutes nor that through the most grows by 10 % of its median over
that span (merges take and give back some 100 MB), lag if its line grows by less than 0.25 s, the
open page if its heap (after a collection) grows by less than 5 MB and its DOM by less than 10 %.
Exit code 1 if one is not, or a reading is missing.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import httpx
import numpy as np
from against.flat import verdict
from against.machine import cpu_seconds, memory_mb
from against.rows import listed, parser, tell
from against.ways import Load, gemel, until_stored

from running import Running

READINGS = 100


def devices(rate: int) -> int:
    return max(1, min(500, rate // READINGS))


class Page:
    """An open page in a headless Chromium, or why there is none."""

    def __init__(self, what: str, inspector: Any = None) -> None:
        self.what = what
        self._inspector = inspector  # a Chrome DevTools Protocol session

    def size(self) -> dict[str, float]:
        """Its heap after a collection in MB, and how many nodes its DOM has."""
        if self._inspector is None:
            return {}
        self._inspector.send("HeapProfiler.collectGarbage")
        heap = self._inspector.send("Runtime.getHeapUsage")["usedSize"] / 1e6
        metrics = self._inspector.send("Performance.getMetrics")["metrics"]
        nodes = next(one["value"] for one in metrics if one["name"] == "Nodes")
        return {"page_heap_mb": heap, "page_nodes": nodes}


@contextmanager
def page(running: Running) -> Iterator[Page]:
    """A headless Chromium with the page open."""
    chromium = shutil.which("chromium")
    if chromium is None:
        yield Page("no page: chromium is not installed")
        return
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "gemel", "link", "--data", str(running.data)]
    link = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        shown = browser.new_page()
        shown.goto(link)
        shown.wait_for_load_state("load")
        inspector = shown.context.new_cdp_session(shown)
        inspector.send("Performance.enable")
        yield Page(f"the page '{shown.title()}' was open", inspector)
        browser.close()


@contextmanager
def load(running: Running, rate: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "gemel", "bench", "load", "--json", "--token", running.token]
    command += ["--mqtt", f"{running.mqtt_host}:{running.mqtt_port}", "--rate", str(rate)]
    command += ["--devices", str(devices(rate)), "--readings", str(READINGS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


class Sampler:
    """Asks the server what people ask, and looks at what it uses."""

    def __init__(self, running: Running, client: httpx.Client, rate: int, shown: Page) -> None:
        self.samples: list[dict[str, float]] = []
        self._running = running
        self._client = client
        self._rate = rate
        self._page = shown
        self._chance = random.Random(1)
        self._cpu = cpu_seconds([running.process.pid])
        self._began = self._last = time.monotonic()

    def _ask(self, path: str, **query: object) -> tuple[float, Any]:
        began = time.perf_counter()
        answer = self._client.get(path, params=query)  # type: ignore[arg-type]
        seconds = time.perf_counter() - began
        assert answer.status_code == 200, answer.text
        return seconds, answer.json()

    def take(self, until: float) -> dict[str, float]:
        """Queries, one after the other with pauses, until a moment; then a sample."""
        times: list[float] = []
        while not times or time.monotonic() < until:
            twin = f"load-{self._chance.randrange(devices(self._rate)):05d}"
            signal_ = f"s{self._chance.randrange(READINGS):02d}"
            query = {"twin": twin, "property": signal_, "from": "-1h"}
            times.append(self._ask("/history", px=800, **query)[0])
            times.append(self._ask("/history", bucket=60, **query)[0])
            times.append(self._ask(f"/twins/{twin}")[0])
            time.sleep(0.2)  # as people do
        _, last = self._ask("/history/last", twin="load-00000", property="s00")
        period = devices(self._rate) * READINGS / self._rate
        moment = last["value"][0]["time"]
        lag = time.time() - _seconds(moment) - period if moment else float("nan")
        now, pid = time.monotonic(), [self._running.process.pid]
        cpu = cpu_seconds(pid)
        sample = {
            "minute": (now - self._began) / 60,
            "rss_mb": memory_mb(pid),
            "lag_s": max(0.0, lag),
            "query_p50_ms": 1000 * float(np.percentile(times, 50)),
            "query_p99_ms": 1000 * float(np.percentile(times, 99)),
            "cores": (cpu - self._cpu) / (now - self._last),
            **self._page.size(),
        }
        self._cpu, self._last = cpu, now
        self.samples.append(sample)
        return sample


def _seconds(moment: str | float) -> float:
    if isinstance(moment, str):
        from gemel.core.clock import from_iso

        return from_iso(moment) / 1e9
    return float(moment) / 1000


def soak(arguments: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    rate = arguments.rate
    with (
        gemel(folder, Load("", devices(rate), READINGS, 1)) as running,
        page(running) as shown,
        load(running, rate) as process,
        running.http() as client,
    ):
        sampler = Sampler(running, client, rate, shown)
        end = time.monotonic() + 60 * arguments.minutes
        while time.monotonic() < end and process.poll() is None:
            sample = sampler.take(min(end, time.monotonic() + arguments.every))
            print("  ".join(f"{k} {v:,.2f}" for k, v in sample.items()), flush=True)
        process.send_signal(signal.SIGTERM)
        sent = json.loads(process.communicate(timeout=120)[0])
        stored, _ = until_stored(running, sent["readings"])
    yield {
        "name": "soak", "rate": rate, "minutes": arguments.minutes, "page": shown.what,
        "readings": sent["readings"], "lost": sent["readings"] - stored,
        "readings_per_s": sent["readings_per_s"], "problem": sent["problem"],
        "p50_ms": sent["p50_ms"], "p99_ms": sent["p99_ms"], **verdict(sampler.samples),
        "samples": sampler.samples,
    }  # fmt: skip


def without_samples(found: dict[str, Any]) -> str:
    return listed({key: value for key, value in found.items() if key != "samples"})


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--minutes", type=float, default=30)
    made.add_argument("--rate", type=int, default=200_000, help="readings a second (200,000)")
    made.add_argument("--every", type=float, default=10, help="seconds between samples (10)")
    arguments = made.parse_args()
    with tempfile.TemporaryDirectory(prefix="gemel-soak-") as folder:
        (found,) = tell(soak(arguments, Path(folder)), arguments.json, without_samples)
    judged = [one for one in found.values() if isinstance(one, dict)]
    is_right = all(one["is_flat"] for one in judged)
    return 0 if is_right and not found["problem"] and found["lost"] <= 0 else 1


if __name__ == "__main__":
    raise SystemExit(main())
