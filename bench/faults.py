"""Faults, and what is lost, wrong or unseen after them: `kill` or `disk` under load, or `damage`.

`kill`: `kill -9` at random moments, so many rounds on one data folder, while one generator sends
and sends again what was not acknowledged. `disk`: a small disk (tmpfs, which only root may mount)
fills under load, is asked meanwhile, gets room, and goes on. What was acknowledged is held against
what is there by `gemel bench verify`. `damage`: so many times one bit is flipped (or, one of four
times, one file cut short) in a data folder with a file of every kind; `gemel check` looks at it,
then a server is asked for everything. Exit code 1 if anything acknowledged is lost, anything is
doubled or wrong, a server died, or did not start and did not name the file.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from against.machine import cpu_seconds
from against.rows import listed, parser, tell
from against.servers import free_port
from against.ways import bench
from damage.trial import is_broken, trial

from running import Running

DEVICES, READINGS = 8, 10
PATIENCE = 120
FILL = 4_000_000
"""Bytes left on the small disk when it is filled."""


@contextmanager
def generator(running: Running, ledger: Path, rate: int) -> Iterator[subprocess.Popen[str]]:
    """Sends until it is told to stop; goes on after the server was away."""
    command = [sys.executable, "-m", "gemel", "bench", "load", "--json", "--token", running.token]
    command += ["--mqtt", f"{running.mqtt_host}:{running.mqtt_port}", "--ledger", str(ledger)]
    command += ["--devices", str(DEVICES), "--readings", str(READINGS), "--rate", str(rate)]
    command += ["--reconnect", str(PATIENCE), "--patience", str(PATIENCE), "--window", "500"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def plant(running: Running) -> None:
    words = ("plant", "--devices", str(DEVICES), "--readings", str(READINGS))
    running.call("POST", "/plant", bench(*words))


def until_noted(ledger: Path, process: subprocess.Popen[str], beyond: int) -> int:
    """Waits until the ledger is longer than `beyond` bytes; how long it is."""
    end = time.monotonic() + PATIENCE
    while True:
        size = ledger.stat().st_size if ledger.exists() else 0
        if size > beyond:
            return size
        if process.poll() is not None or time.monotonic() > end:
            raise AssertionError("the generator gets no acknowledgements")
        time.sleep(0.01)


def is_ready(running: Running) -> bool:
    with running.http() as client:
        return bool(client.get("/health").json()["ready"])


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The generator's summary, once all it sent is acknowledged."""
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=2 * PATIENCE)
    found: dict[str, Any] = json.loads(out)
    return found


def verified(running: Running, ledger: Path) -> dict[str, Any]:
    words = ["verify", "--ledger", str(ledger), "--url", running.url, "--token", running.token]
    found: dict[str, Any] = bench(*words, "--json")
    return found


def kill(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    chance = random.Random(arguments.seed)
    ledger = folder / "ledger"
    running = Running(folder / "data", *_words(arguments)).start()
    victims: list[str] = []
    recoveries: list[float] = []
    processor: list[float] = []
    try:
        plant(running)
        with generator(running, ledger, arguments.rate) as process:
            noted = 0
            for number in range(1, arguments.rounds + 1):
                noted = until_noted(ledger, process, noted)
                time.sleep(chance.uniform(0, arguments.longest))  # the fault is the moment
                victim = chance.choice(("main", "front", "all")) if arguments.processes else "main"
                victims.append(victim)
                if victim != "main":
                    strike(running, every=victim == "all")
                if victim == "front":
                    noted = until_noted(ledger, process, noted)
                    continue
                running.kill()
                began = time.monotonic()
                running.start()
                recoveries.append(time.monotonic() - began)
                processor.append(cpu_seconds([running.process.pid]))
                if number % 10 == 0:
                    print(f"{number} rounds", file=sys.stderr, flush=True)
            until_noted(ledger, process, noted)
            sent = ended(process)
        verdict = verified(running, ledger)
        replayed = running.call("GET", "/status")["readings"]
    finally:
        if running.process.poll() is None:
            running.stop()
    return {
        "rounds": arguments.rounds, "seed": arguments.seed, "rate": arguments.rate,
        "processes": arguments.processes,
        "killed": {name: victims.count(name) for name in sorted(set(victims))},
        "messages": sent["messages"], "sent_again": sent["repeated"], "problem": sent["problem"],
        "rows_stored": replayed, **verdict,
        "recovery_p50_s": round(statistics.median(recoveries), 3),
        "recovery_max_s": round(max(recoveries), 3),
        "recovery_cpu_p50_s": round(statistics.median(processor), 3),
        "recovery_cpu_max_s": round(max(processor), 3),
    }  # fmt: skip


def strike(running: Running, *, every: bool) -> None:
    """Kills fronts: the first, or all."""
    pid = running.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fronts = [
        int(child)
        for child in children
        if b"gemel.connect.mqtt.front" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
    for front in fronts if every else fronts[:1]:
        os.kill(front, signal.SIGKILL)


def _words(arguments: argparse.Namespace) -> list[str]:
    words = ["--mqtt", f"127.0.0.1:{free_port()}"]
    return [*words, "--ingest-processes", str(arguments.processes)]


def disk(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    if os.getuid():
        return {"note": "not run: only root may mount a small disk"}
    small = folder / "small"
    small.mkdir()
    mount = [
        "mount",
        "-t",
        "tmpfs",
        "-o",
        f"size={arguments.megabytes}m",
        "gemel-small",
        str(small),
    ]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        return {"note": f"not run: no small disk can be mounted: {done.stderr.strip()}"}
    try:
        return _disk(arguments, folder, small)
    finally:
        subprocess.run(["umount", str(small)], check=True)


def _disk(arguments: argparse.Namespace, folder: Path, small: Path) -> dict[str, Any]:
    ledger = folder / "ledger"
    running = Running(small / "data", *_words(arguments)).start()
    try:
        plant(running)
        with generator(running, ledger, arguments.rate) as process:
            noted = until_noted(ledger, process, 0)
            left = os.statvfs(small)
            filler = small / "filler"
            filler.write_bytes(bytes(max(0, left.f_bavail * left.f_frsize - FILL)))
            began = time.monotonic()
            while is_ready(running):
                if time.monotonic() - began > PATIENCE:
                    raise AssertionError("the disk does not fill, or the server does not say so")
                time.sleep(0.05)
            seconds = time.monotonic() - began
            with running.http() as client:
                read = client.get("/history", params={"twin": "load-00000", "property": "s00"})
                refused = client.post("/ingest/load-00000", json={"s00": 1.0})
                said = client.get("/health").json()
            held = ledger.stat().st_size
            filler.unlink()
            began = time.monotonic()
            until_noted(ledger, process, held)
            recovery = time.monotonic() - began
            sent = ended(process)
        verdict = verified(running, ledger)
    finally:
        if running.process.poll() is None:
            running.stop()
    return {
        "megabytes": arguments.megabytes, "full_after_s": round(seconds, 2), "health": said,
        "reads_while_full": read.status_code, "write_while_full": refused.status_code,
        "error_while_full": refused.json().get("error"), "goes_on_after_s": round(recovery, 3),
        "messages": sent["messages"], "problem": sent["problem"], "noted": noted, **verdict,
    }  # fmt: skip


def damaged(arguments: argparse.Namespace, folder: Path) -> int:
    rows = tell(trial(folder, arguments.rounds, arguments.seed), arguments.json)
    return 1 if is_broken(rows) else 0


def measured(arguments: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    act = kill if arguments.fault == "kill" else disk
    yield {"name": arguments.fault, **act(arguments, folder)}


def main() -> int:
    made = parser(__doc__)
    made.add_argument("fault", choices=["kill", "disk", "damage"])
    made.add_argument("--rounds", type=int, default=200, help="kill, damage: so many (200)")
    made.add_argument("--longest", type=float, default=0.5, help="kill: seconds of load (0.5)")
    made.add_argument("--megabytes", type=int, default=160, help="disk: its size (160)")
    made.add_argument(
        "--processes", type=int, default=0, help="ingest processes: they are killed too (0)"
    )
    made.add_argument("--rate", type=int, default=20_000, help="readings a second (20,000)")
    made.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(1 << 32),
        help="of what is struck and when; told with the figures",
    )  # fmt: skip
    arguments = made.parse_args()
    with tempfile.TemporaryDirectory(prefix="gemel-faults-") as folder:
        if arguments.fault == "damage":
            return damaged(arguments, Path(folder))
        (found,) = tell(measured(arguments, Path(folder)), arguments.json, listed)
    broken = sum(found.get(name, 0) for name in ("lost", "doubled", "wrong"))
    return 1 if broken or found.get("problem") else 0


if __name__ == "__main__":
    raise SystemExit(main())
