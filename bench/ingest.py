"""Telemetry from MQTT to durable, queryable readings: Gemel beside what one would build instead.

`gemel bench load` sends the same messages to Gemel (twins, one threshold rule a signal; with the C
fast path and in Python alone) and to Mosquitto, from which a paho subscriber writes into InfluxDB
(line protocol) or PostgreSQL (COPY), all on this machine; where each message is a packet, to a bare
server in C too, which only acknowledges: what this machine asks of anybody. At QoS 0 those are sent
by a program in C (`against/apart.c`), which leaves more of the machine for what is measured. The
ways of a load take turns, and the medians of the turns are told; what cannot be started here is a
row that says why.

    scripts/bench ingest --markdown --minutes 11     the table of docs/reference/figures.md
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from against import capacity
from against.bare import run_bare
from against.machine import machine
from against.rows import medians, parser, row, tell
from against.servers import NotHere
from against.table import markdown
from against.ways import (
    Load,
    run_gemel,
    run_influx,
    run_postgres,
    to_subscriber,
    to_subscriber_of_mosquitto,
)

LOADS = [
    Load("100 readings, QoS 1", 8, 100, 1, 4_000, 400),
    Load("1 reading, QoS 1, pipelined", 16, 1, 1, 8_000, 1_000),
    Load("1 reading, QoS 0", 100, 1, 0, 3_000),
    Load("1 reading, QoS 1, one outstanding", 100, 1, 1, 500, 1),
    Load("1 reading, QoS 0, 1,000 connections, one a packet", 1_000, 1, 0, 1_000, is_apart=True),
    Load("50,000 readings/s steady", 500, 100, 1, window=100, rate=50_000, seconds=15),
]
Run = Callable[[Path, Load], dict[str, Any]]
WAYS: dict[str, Run] = {
    "Gemel, C": run_gemel,
    "Gemel, Python": lambda folder, load: run_gemel(folder, load, is_pure=True),
    "a bare server in C": run_bare,
    "Mosquitto, paho, InfluxDB": run_influx,
    "Mosquitto, paho, PostgreSQL": run_postgres,
}
TO_SUBSCRIBER: dict[str, Run] = {
    "Gemel, to a subscriber": to_subscriber,
    "Mosquitto, to a subscriber, nothing stored": to_subscriber_of_mosquitto,
}
PROGRAMS = {"mosquitto": "-h", "influxd": "version", "postgres": "--version"}


def ways(processes: int, load: Load) -> dict[str, Run]:
    if not processes:
        found = {name: run for name, run in WAYS.items() if run is not run_bare or is_apart(load)}
        return {**found, **TO_SUBSCRIBER} if load.rate else found
    name = f"Gemel, C, {processes} ingest processes"
    return {
        "Gemel, C": run_gemel,
        name: lambda folder, load: run_gemel(folder, load, processes=processes),
    }


def is_apart(load: Load) -> bool:
    """Whether each message is a packet of its own, so that the system's part is the most of it."""
    return load.is_apart or (load.window == 1 and load.qos > 0 and not load.rate)


def quick(load: Load) -> Load:
    return replace(
        load, count=max(load.count // 5, 1) * (load.count > 0), seconds=load.seconds // 3
    )


def measured(run: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """What a run found, or why there was none."""
    try:
        with tempfile.TemporaryDirectory(prefix="gemel-bench-") as folder:
            return run(Path(folder))
    except (NotHere, AssertionError, OSError, ImportError) as error:
        return {"note": f"not measured: {error}"}


def in_turns(load: Load, chosen: dict[str, Run], most: int, until: float) -> list[dict[str, Any]]:
    """A row for each way, after as many turns of all of them as are wanted and there is time for.

    Args:
        load: what is sent.
        chosen: the ways.
        most: turns.
        until: no turn is begun that would probably end later; the first one is.
    """
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in chosen}
    took = 0.0
    for turn in range(most):
        began = time.monotonic()
        if turn and began + took > until:
            break
        for name, run in chosen.items():
            found[name].append(measured(lambda folder, run=run: run(folder, load)))  # type: ignore[misc]
            print(f"  {name}, turn {turn + 1} of {load.name}", file=sys.stderr, flush=True)
        took = max(took, time.monotonic() - began)
    made, first = [], None
    for name, some in found.items():
        right = [one for one in some if "note" not in one]
        one = medians(right) if right else some[0]
        rate = one.get("readings_per_s")
        first = first or rate
        ratio = rate / first if rate and first else None
        title = {"name": f"{load.name}: {name}", "load": load.name, "way": name}
        made.append({**title, **one, "ratio": ratio, "runs": len(right)})
    return made


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    def wanted(name: str) -> bool:
        return not arguments.only or arguments.only in name

    loads = [load for load in LOADS if wanted(load.name)]
    began, share = time.monotonic(), 60 * arguments.minutes / max(len(loads), 1)
    for number, load in enumerate(loads, 1):
        chosen = ways(arguments.processes, load)
        chosen = {name: run for name, run in chosen.items() if (arguments.way or "") in name}
        load, turns = (quick(load), 1) if arguments.quick else (load, arguments.runs)
        yield from in_turns(load, chosen, turns, began + number * share)
    if not arguments.markdown:
        yield from capacities(wanted, 10 if arguments.quick else 1)


def capacities(wanted: Callable[[str], bool], scale: int) -> Iterator[dict[str, Any]]:
    connections, twins = 10_000 // scale, 100_000 // scale
    if wanted("idle connections"):
        one = measured(lambda folder: capacity.idle(folder, connections))
        yield {"name": f"{connections:,} idle connections: Gemel", **one, "runs": 1}
    if wanted("twins"):
        one = measured(lambda folder: capacity.twins(folder, twins, 10))
        yield {"name": f"{twins:,} twins of 10 signals: Gemel", **one, "runs": 1}


def line(row: dict[str, Any]) -> str:
    """A row for people."""
    if row.get("note"):
        return f"{row['name']:76} {row['note']}"
    if "bytes_each" in row:
        return (
            f"{row['name']:76} {row['bytes_each']:,.0f} bytes each, {row['rss_mb']:,.0f} MB in all"
        )
    text = f"{row['name']:76} {row['readings_per_s']:12,.0f} readings/s"
    text += f" {row['messages_per_s']:10,.0f} messages/s  lost {row['lost']:,.0f}"
    if row["p99_ms"] is not None:
        text += f"  p50 {row['p50_ms']:,.1f} p99 {row['p99_ms']:,.1f} ms"
    if "late_p99_ms" in row:
        text += "; meanwhile a process that only sleeps woke late by"
        text += f" p99 {row['late_p99_ms']:,.1f} most {row['late_max_ms']:,.1f} ms"
    text += f"  CPU {row['cpu_s']:.2f} s in {row['seconds']:.2f} s"
    text += f", {1e6 * row['cpu_s'] / row['seconds'] / row['messages_per_s']:.2f} us a message"
    text += f"  {row['rss_mb']:,.0f} MB"
    if row.get("server_cpu_s"):
        text += f"  of it the server's own process {row['server_cpu_s']:.2f} s"
    if row.get("bytes_per_reading"):
        text += f"  {row['bytes_per_reading']:.1f} bytes/reading"
    if row.get("query_ms"):
        text += "  queries " + " ".join(f"{k} {v:.1f}" for k, v in row["query_ms"].items()) + " ms"
    return text


def main() -> int:
    made = parser(__doc__)
    add = made.add_argument
    add("--markdown", action="store_true", help="the ways beside each other, as a table")
    add("--quick", action="store_true", help="one short turn of each")
    add("--runs", type=int, default=3, help="the median of so many turns (3)")
    add("--minutes", type=float, default=60, help="fewer turns, if it would take longer (60)")
    add("--only", help="part of a load's name")
    add("--processes", type=int, default=0, help="compare with so many ingest processes (0)")
    add("--way", help="part of a way's name, such as Gemel")
    arguments = made.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended first
    about = machine(PROGRAMS)
    out = sys.stderr if arguments.markdown else sys.stdout
    with contextlib.redirect_stdout(out):
        found = tell((row(one) for one in rows(arguments)), arguments.json, line, about)
    if arguments.markdown:
        print(markdown({**about, "load_average_after": round(os.getloadavg()[0], 1)}, found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
