"""One fleet through the real server: readings by MQTT day by day, alarms, work orders, jobs.

The plant is this program; the server knows what it is sent. The past of other machines is sent
first and learnt from by a run. Then each day: readings of the machines that run; the service is
asked how it fares until its alarms are there; proposed work is accepted, and done by the crew.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gemel.core.clock import from_iso, system_clock
from studies import Options, StudyError
from studies._fleet import NEVER, Draw, Job, Outcome, Work, fleet, simulate

if TYPE_CHECKING:
    from studies.downtime import Plant

DAY = 86_400
MODEL = "dtmi:study:Machine;1"
SERVICE = "life"
WAIT = 60.0
PATIENCE = 0.01


def through_platform(
    plant: Plant, levels: tuple[float, float], trees: dict[str, int], options: Options
) -> Any:
    """The jobs of one fleet by the server and by the simulation, and where they differ."""
    from studies.downtime import HOLD, Known, learnt

    work = Work(horizon=200 if options.small else 500)
    draw = fleet(plant.judging, 1_000 * options.seed + 900, len(plant.paths.values))
    model, _ = learnt(plant, options)
    expected = simulate(draw, work, Known(plant, [model]).two_levels(*levels))
    begin = time.perf_counter()
    with server() as (client, link):
        closed = Closed(client, link, plant, work, draw)
        version = closed.prepare(levels, HOLD, trees)
        got = closed.run()
    pairs = [sorted(_rows(out)) for out in (expected, got)]
    return {
        "days": work.horizon,
        "machines": work.machines,
        "jobs": len(got.jobs),
        "failures": got.failures,
        "proposals": closed.proposals,
        "decisionsThatDiffer": len(set(pairs[0]) ^ set(pairs[1])),
        "downPercent": 100 * got.down / (work.machines * work.horizon),
        "downPercentSimulated": 100 * expected.down / (work.machines * work.horizon),
        "version": version,
        "seconds": time.perf_counter() - begin,
    }


def _rows(out: Outcome) -> list[tuple[int, int, bool]]:
    return [(job.day, job.machine, job.is_failure) for job in out.jobs]


@contextmanager
def server() -> Iterator[tuple[httpx.Client, Link]]:
    """`gemel serve` in a folder of its own, on free ports."""
    with tempfile.TemporaryDirectory(prefix="gemel-study-") as folder:
        data = Path(folder) / "data"
        command = [sys.executable, "-m", "gemel", "serve", "--data", str(data)]
        command += ["--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GEMEL_")}
        with (Path(folder) / "log.txt").open("w") as log:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
            )
        assert process.stdout is not None
        try:
            mqtt, url = 0, ""
            for line in process.stdout:
                if match := re.match(r"MQTT at \S+:(\d+)", line):
                    mqtt = int(match[1])
                if match := re.match(r"Gemel is running at (https?://[^/]+)", line):
                    url = match[1]
                    break
            if not url:
                raise StudyError("the server did not start: " + log.name)
            made = [sys.executable, "-m", "gemel", "token", "create", "--data", str(data)]
            done = subprocess.run(
                [*made, "--role", "admin"], capture_output=True, text=True, check=True
            )
            token = done.stdout.strip()
            head = {"Authorization": f"Bearer {token}"}
            link = Link(mqtt, token)
            with httpx.Client(base_url=url, headers=head, timeout=60) as client:
                yield client, link
            link.close()
        finally:
            process.terminate()
            process.wait(30)
            process.stdout.close()


class Link:
    """One MQTT connection for all machines; `send` returns when all is acknowledged."""

    def __init__(self, port: int, token: str) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="study")
        self._client.max_inflight_messages_set(100)
        self._client.username_pw_set(token, token)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def send(self, messages: dict[str, Any]) -> None:
        sent = [
            self._client.publish(topic, json.dumps(body), qos=1) for topic, body in messages.items()
        ]
        for one in sent:
            one.wait_for_publish(WAIT)
            if not one.is_published():
                raise StudyError("the server did not acknowledge readings")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Closed:
    """The plant, its crew, and what they know from the server."""

    def __init__(
        self, client: httpx.Client, link: Link, plant: Plant, work: Work, draw: Draw
    ) -> None:
        self._client, self._link, self._plant = client, link, plant
        self._work, self._draw = work, draw
        longest = max(len(life) for life in plant.own)
        now = system_clock() // 1_000_000_000 // DAY
        self._first = (now - work.horizon - 20) * DAY
        self._past = self._first - (longest + 20) * DAY
        self.proposals = 0
        self._due: dict[int, int] = {}
        """The day on which each machine was said to be due, in the life it is in."""

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        answer = self._client.request(method, path, json=body, params=query or None)
        if answer.status_code >= 300:
            raise StudyError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    # ---- before the first day ------------------------------------------------------------------

    def prepare(self, levels: tuple[float, float], hold: int, trees: dict[str, int]) -> Any:
        """Models, twins, the past of other machines, the service, and what it learns."""
        from studies.downtime import named

        paths = self._plant.paths
        columns = [*paths.values, *paths.settings, "age", "failed"]
        contents = [{"@type": "Telemetry", "name": c, "schema": "double"} for c in columns]
        model = {"@id": MODEL, "@type": "Interface", "@context": "dtmi:dtdl:context;3"}
        self.ask("POST", "/models", [{**model, "contents": contents}])
        past = named(self._plant.own)
        machines = [f"machine-{m:02}" for m in range(self._work.machines)]
        for twin in [*(life.twin for life in past), *machines]:
            self.ask("PUT", f"/digitaltwins/{twin}", {"$metadata": {"$model": MODEL}})
        for life in past:
            rows = [
                self._row(life.twin, life, i, self._past + i * DAY, i == len(life) - 1)
                for i in range(len(life))
            ]
            self.ask("POST", "/ingest", rows)
        parameters = {
            "conditions": list(paths.settings),
            "age": "age",
            "failed": "failed",
            "alarm": levels[0],
            "renew": levels[1],
            "hold": hold,
            "lead": self._work.lead,
            "parts": [{"name": "machine", "count": 1}],
        }
        self.ask(
            "PUT",
            f"/services/{SERVICE}",
            {"kind": "rul", "model": MODEL, "parameters": parameters},
        )
        given = {"span": system_clock() / 1e9 - self._past + DAY, **trees}
        run = self.ask("POST", "/runs", {"service": SERVICE, "run": "train", "parameters": given})
        self._until(lambda: self.ask("GET", f"/runs/{run['id']}")["ended"], 600.0)
        done = self.ask("GET", f"/runs/{run['id']}")
        if done["state"] != "succeeded":
            raise StudyError(f"training: {done['error']}")
        status = self.ask("GET", f"/services/{SERVICE}/status")
        if status["version"] != 1:
            raise StudyError(f"what was learnt did not pass: {status['versions']}")
        return status["versions"][0]["scores"]

    def _row(self, twin: str, life: Any, i: int, second: int, failed: bool) -> dict[str, Any]:
        paths = self._plant.paths
        row: dict[str, Any] = {"twin": twin, "time": second * 1000}
        for path, value in zip(paths.values, life.values[i].tolist(), strict=True):
            if np.isfinite(value):
                row[path] = value
        row |= zip(paths.settings, life.settings[i].tolist(), strict=True)
        return row | {"age": float(life.age[i]), "failed": float(failed)}

    def _until(self, is_so: Callable[[], Any], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > end:
                raise StudyError("the server did not come to it in time")
            time.sleep(PATIENCE)

    # ---- day by day ----------------------------------------------------------------------------

    def run(self) -> Outcome:
        """All days; the crew goes by the same rules as in the simulation."""
        out, work = Outcome(), self._work
        count = work.machines
        number, start = [0] * count, [0] * count
        failed: dict[int, int] = {}
        orders: dict[int, tuple[int, str]] = {}
        busy_until, served = 0, -1
        for day in range(work.horizon):
            if day >= busy_until:
                if served >= 0:
                    number[served] += 1
                    self._due.pop(served, None)
                    start[served], served = day, -1
                job = self._next(day, failed, orders)
                if job is not None:
                    served, is_failure = job
                    age = (failed[served] if is_failure else day) - start[served]
                    out.jobs.append(Job(served, day, is_failure, age))
                    self._serve(served, is_failure, orders)
                    failed.pop(served, None)
                    busy_until = day + (work.repair if is_failure else work.planned)
            messages = {}
            for machine in range(count):
                if machine == served or machine in failed:
                    out.down += 1
                    continue
                part = self._draw(machine, number[machine])
                i = day - start[machine]
                is_last = i == len(part) - 1
                row = self._row("", part.life, i, self._first + day * DAY, is_last)
                del row["twin"]
                messages[f"devices/machine-{machine:02}/telemetry"] = row
                if is_last:
                    failed[machine] = day + 1
            self._link.send(messages)
            proposed = self._proposed(start)
            for machine in self._near(start):
                if machine != served and machine not in failed:
                    self._due.setdefault(machine, day + 1)
            for machine, key in proposed.items():
                if machine != served and machine not in orders and failed.get(machine, NEVER) > day:
                    orders[machine] = (day + work.lead, key)
        return out

    def _next(
        self, day: int, failed: dict[int, int], orders: dict[int, tuple[int, str]]
    ) -> tuple[int, bool] | None:
        if failed:
            return min((since, machine) for machine, since in failed.items())[1], True
        at = {m: max(when, self._due.get(m, NEVER)) for m, (when, _) in orders.items()}
        ready = [(when, machine) for machine, when in at.items() if when <= day]
        return (min(ready)[1], False) if ready else None

    def _serve(self, machine: int, is_failure: bool, orders: dict[int, tuple[int, str]]) -> None:
        """The work order of a job, from its start to its end."""
        twin = f"machine-{machine:02}"
        key = orders.pop(machine, (0, ""))[1]
        if not key:
            key = self.ask("POST", "/work-orders", {"twin": twin, "title": "Repair"})["id"]
        words = "repaired after a failure" if is_failure else "renewed in time"
        self.ask("POST", f"/work-orders/{key}/acts", {"act": "start"})
        self.ask("POST", f"/work-orders/{key}/acts", {"act": "finish", "note": words})

    def _near(self, start: list[int]) -> list[int]:
        """Machines that are to be renewed once their parts are there, as the service says."""
        status = self.ask("GET", f"/services/{SERVICE}/status")
        found = []
        for one in status["knows"]["predictions"]:
            if one["isDue"] and one["twin"].startswith("machine-"):
                machine = int(one["twin"].removeprefix("machine-"))
                begun = (self._first + start[machine] * DAY) * 1_000_000_000
                if from_iso(one["time"]) >= begun:
                    found.append(machine)
        return found

    def _proposed(self, start: list[int]) -> dict[int, str]:
        """Work that is proposed for the life that each machine is in; it is accepted."""
        status = self.ask("GET", f"/services/{SERVICE}/status")
        near = status["knows"]["twinsNearTheirEnd"]

        def standing() -> list[Any]:
            alarms = self.ask("GET", "/alarms", state="all", limit=1000)["value"]
            return [a for a in alarms if a["rule"] == f"service:{SERVICE}" and a["stands"]]

        self._until(lambda: len(standing()) == near, WAIT)
        alarms = {a["id"]: a for a in standing()}
        found = {}
        for order in self.ask("GET", "/work-orders", state="proposed")["value"]:
            alarm = alarms.get(order["alarms"][0])
            machine = int(order["twin"].removeprefix("machine-"))
            begun = (self._first + start[machine] * DAY) * 1_000_000_000
            if alarm is not None and from_iso(alarm["lastRaised"]) >= begun:
                self.ask("POST", f"/work-orders/{order['id']}/acts", {"act": "accept"})
                found[machine] = order["id"]
                self.proposals += 1
        return found
