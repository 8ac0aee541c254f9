"""1,000 alarms in ten seconds from one failed feeder: one group, its first-out, quick answers.

scripts/bench flood [--json] [--seconds 10]

The cause's own reading comes last, though it was first. Meanwhile a client asks for the alarms, the
groups and the state, one after the other. Exit code 1 if the group or its first-out is wrong.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from against.rows import listed, parser, tell

from app.test_alarm_flood import COUNT, plant
from e2e.browsing import eventually
from running import Running

ASKED = ("/alarms?limit=200", "/alarms/groups", "/status")
BATCH = 50


class Operator(threading.Thread):
    """Asks all the while; how long each answer took, by path."""

    def __init__(self, running: Running) -> None:
        super().__init__(daemon=True)
        self.running, self.done = running, threading.Event()
        self.took: dict[str, list[float]] = {path: [] for path in ASKED}
        self.failed = 0

    def run(self) -> None:
        with self.running.http() as client:
            while not self.done.is_set():
                for path in ASKED:
                    begin = time.perf_counter()
                    answer = client.get(path)
                    self.took[path].append(1_000 * (time.perf_counter() - begin))
                    self.failed += answer.status_code != 200
                self.done.wait(0.05)


def flood(running: Running, seconds: float) -> tuple[Operator, float]:
    pumps = [twin for twin in plant()["twins"] if twin.startswith("pump")]
    operator, begin = Operator(running), time.time()
    operator.start()
    for place in range(0, len(pumps), BATCH):
        rows = [
            {"twin": pump, "time": (begin + 1 + (place + i) * 0.009) * 1_000, "flow": 0.0}
            for i, pump in enumerate(pumps[place : place + BATCH])
        ]
        running.call("POST", "/ingest", rows)
        due = begin + seconds * (place + BATCH) / len(pumps)
        operator.done.wait(max(0.0, due - time.time()))
    running.call("POST", "/ingest", {"twin": "feeder", "time": begin * 1_000, "running": False})
    eventually(lambda: len(groups(running)) == 1 and groups(running)[0]["count"] == COUNT, "group")
    taken = time.time() - begin
    operator.done.set()
    operator.join()
    return operator, taken


def groups(running: Running) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = running.call("GET", "/alarms/groups")["value"]
    return [group for group in found if not group["into"]]


def measured(seconds: float) -> Iterator[dict[str, Any]]:
    with (
        tempfile.TemporaryDirectory(prefix="gemel-flood-") as folder,
        Running(Path(folder) / "data") as running,
    ):
        running.call("POST", "/plant", plant())
        operator, taken = flood(running, seconds)
        (group,) = groups(running)
    found: dict[str, Any] = {
        "name": "flood",
        "alarms": group["count"],
        "groups": 1,
        "cause": group["cause"],
        "firstOut": group["firstOutTwin"],
        "seconds": round(taken, 1),
        "failed": operator.failed,
    }
    for path, took in operator.took.items():
        ordered = sorted(took)
        found[path] = {
            "answers": len(took),
            "p50_ms": round(statistics.median(took), 1),
            "p99_ms": round(ordered[int(len(ordered) * 0.99)], 1),
        }
    yield found


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--seconds", type=float, default=10.0)
    wanted = made.parse_args()
    (found,) = tell(measured(wanted.seconds), wanted.json, listed)
    right = (found["alarms"], found["cause"], found["firstOut"]) == (COUNT, "feeder", "feeder")
    return 0 if right and not found["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
