"""What idle connections and many twins take of a server's memory."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Any

from against.machine import cpu_seconds, memory_mb
from against.ways import Load, bench, gemel, until_stored

from gemel.load.link import Server


def idle(folder: Path, count: int) -> dict[str, Any]:
    """Connections that say nothing: bytes each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 200:
        raise OSError(f"{count:,} connections need more than the {hard:,} open files allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with gemel(folder, Load("", 1, 1, 1)) as running:
            pid = [running.process.pid]
            server = Server(running.mqtt_host, running.mqtt_port, "load", running.token)
            warm = [server.open(f"warm-{i}") for i in range(100)]
            before, cpu = memory_mb(pid), cpu_seconds(pid)
            opened = [server.open(f"idle-{i}") for i in range(count)]
            running.call("GET", "/status")
            grown = memory_mb(pid) - before
            used = cpu_seconds(pid) - cpu
            for one in warm + opened:
                one.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return {"bytes_each": 1e6 * grown / count, "rss_mb": before + grown, "cpu_s": used, "lost": 0}


def twins(folder: Path, count: int, signals: int) -> dict[str, Any]:
    """Twins, each with a value for each of its signals: bytes each."""
    with gemel(folder, Load("", 1, 1, 1)) as running:
        pid = [running.process.pid]
        before, cpu = memory_mb(pid), cpu_seconds(pid)
        words = ("--devices", str(count), "--readings", str(signals), "--prefix", "many-")
        plant = bench("plant", *words, "--no-rules")
        plant["models"][0]["@id"] = model = "dtmi:gemel:load:Many;1"
        names = list(plant["twins"])
        for at in range(0, count, 10_000):
            part = {name: {"model": model} for name in names[at : at + 10_000]}
            running.call("POST", "/plant", {**plant, "twins": part})
            print(f"  {at + len(part):,} twins", file=sys.stderr)
        made = memory_mb(pid) - before
        each = count // min(count, 1_000)
        sent = bench(
            "load", "--mqtt", f"{running.mqtt_host}:{running.mqtt_port}", "--token", running.token,
            *words, "--connections", str(min(count, 1_000)), "--count", str(each), "--json",
        )  # fmt: skip
        stored, _ = until_stored(running, count * signals)
        grown = memory_mb(pid) - before
        return {
            "bytes_each": 1e6 * grown / count,
            "bytes_each_before_values": 1e6 * made / count,
            "rss_mb": before + grown,
            "cpu_s": cpu_seconds(pid) - cpu,
            "lost": count * signals - stored,
            "readings_per_s": sent["readings_per_s"],
        }
