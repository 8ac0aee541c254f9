"""PromQL over a day of 100 series a query, beside a real Prometheus over the same samples.

scripts/bench promql [--json] [--series 100] [--hours 24] [--step 15]

Each query is a range query over all of it, sent over HTTP by one client, first to Gemel; a row has
the median time of an answer, the server's processor time for it, and how far the answers differ.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from against.machine import cpu_seconds
from against.rows import Figures, parser, tell

from real_prometheus import prometheus
from running import Running

BASE = 1_700_000_000
MODEL = "dtmi:bench:Meter;1"
NAMES = ("power", "energy_total")
QUERIES = (
    "power",
    'power{twin="m-007"}',
    "rate(energy_total[5m])",
    "sum by (model) (rate(energy_total[5m]))",
    "avg_over_time(power[1h])",
    "quantile_over_time(0.9, power[10m])",
    "rate(energy_total[5m]) / on (twin) power",
    "topk(5, power)",
    "max_over_time(rate(energy_total[5m])[30m:1m])",
)
TURNS = 5


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument(
        "--series", type=int, default=100, help="of power, and as many of energy"
    )
    arguments.add_argument("--hours", type=float, default=24)
    arguments.add_argument(
        "--step", type=int, default=15, help="seconds, of samples and of queries"
    )
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tell(rows(Path(folder), given.series, given.hours, given.step), given.json)


def rows(folder: Path, twins: int, hours: float, step: int) -> Iterator[Figures]:
    count = round(hours * 3600 / step)
    columns = list(made(twins, count))
    with Running(folder / "data") as running:
        fill(running, columns, step)
        with prometheus(folder / "prometheus", lines(columns, step)) as real, running.http() as own:
            there = real_process()
            for query in QUERIES:
                form = {"query": query, "start": BASE, "end": BASE + count * step - 1, "step": step}
                ours = asked(own, "/prometheus/api/v1/query_range", form, running.process.pid)
                theirs = asked(real, "/api/v1/query_range", form, there)
                yield {
                    "name": query,
                    "series": len(ours["result"]),
                    "points": sum(len(one["values"]) for one in ours["result"]),
                    "gemel_ms": ours["ms"],
                    "prometheus_ms": theirs["ms"],
                    "gemel_cpu_ms": ours["cpu_ms"],
                    "prometheus_cpu_ms": theirs["cpu_ms"],
                    "largest_difference": difference(ours["result"], theirs["result"]),
                }


def made(twins: int, count: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    chance = np.random.default_rng(7)
    for number in range(twins):
        power = 500 + 100 * np.sin(np.arange(count) / 300) + chance.normal(0, 20, count)
        yield f"m-{number:03d}", power.round(3), np.cumsum(np.abs(power) / 240).round(3)


def fill(running: Running, columns: list[tuple[str, np.ndarray, np.ndarray]], step: int) -> None:
    parts = [{"@type": "Telemetry", "name": name, "schema": "double"} for name in NAMES]
    context = "dtmi:dtdl:context;3"
    model = {"@id": MODEL, "@type": "Interface", "@context": context, "contents": parts}
    twins = {twin: {"model": MODEL} for twin, _, _ in columns}
    running.call("POST", "/plant", {"models": [model], "twins": twins})
    for twin, power, energy in columns:
        times = [(BASE + n * step) * 1000 for n in range(len(power))]
        body = {"time": times, "power": power.tolist(), "energy_total": energy.tolist()}
        running.call("POST", f"/ingest/{twin}", body)


def lines(columns: list[tuple[str, np.ndarray, np.ndarray]], step: int) -> Iterator[str]:
    for place, name in enumerate(NAMES):
        for twin, *values in columns:
            fixed = (
                f'{name}{{model="{MODEL}",property="{name}",provenance="measured",twin="{twin}"}}'
            )
            for n, value in enumerate(values[place].tolist()):
                yield f"{fixed} {value} {BASE + n * step}"


def real_process() -> int:
    """The one child of ours that is a Prometheus."""
    own = os.getpid()
    children = Path(f"/proc/{own}/task/{own}/children").read_text()
    named = {int(pid): Path(f"/proc/{pid}/comm").read_text().strip() for pid in children.split()}
    return next(pid for pid, name in named.items() if name == "prometheus")


def asked(client: httpx.Client, path: str, form: dict[str, Any], pid: int) -> dict[str, Any]:
    ask: Callable[[], httpx.Response] = lambda: client.post(path, data=form)  # noqa: E731
    body = json.loads(ask().content)
    assert body["status"] == "success", body
    took, before = [], cpu_seconds([pid])
    for _ in range(TURNS):
        start = time.perf_counter()
        ask()
        took.append(time.perf_counter() - start)
    return {
        "result": body["data"]["result"],
        "ms": round(statistics.median(took) * 1000, 1),
        "cpu_ms": round((cpu_seconds([pid]) - before) / TURNS * 1000, 1),
    }


def difference(ours: list[Any], theirs: list[Any]) -> float:
    """The largest relative difference of two points; infinite if one has points of its own."""
    by_labels = [
        {json.dumps(o["metric"], sort_keys=True): o for o in side} for side in (ours, theirs)
    ]
    if by_labels[0].keys() != by_labels[1].keys():
        return float("inf")
    largest = 0.0
    for key, one in by_labels[0].items():
        a = np.array(one["values"], float)
        b = np.array(by_labels[1][key]["values"], float)
        if a.shape != b.shape or (a[:, 0] != b[:, 0]).any():
            return float("inf")
        scale = np.maximum(np.abs(b[:, 1]), 1e-300)
        largest = max(largest, float((np.abs(a[:, 1] - b[:, 1]) / scale).max()))
    return float(f"{largest:.1e}")


if __name__ == "__main__":
    main()
