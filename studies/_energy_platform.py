"""A day of many houses through the real server: readings and commands by MQTT, hourly plans.

The houses are this program; the server knows what it is sent. After 14 days of readings it
calibrates its model of each house. Then the service's schedule plans every hour; its autonomy is to
act, so that what it plans passes the guards of all commands and reaches the house, which confirms.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from gemel.core.batch import F64
from gemel.core.clock import SECOND, to_iso
from studies import Options, StudyError
from studies._house import DAY, STEP
from studies._inside import Inside, inside, until

BEGIN = 1_767_225_600
"""2026-01-01; weeks are those of the weather, not of this calendar."""
MODEL = "dtmi:study:House;1"
SERVICE = "houses"
MARGIN = 0.3
SIGNALS = ("outdoor", "heat", "solar", "gains")
CONTENTS = [
    *({"@type": "Telemetry", "name": n, "schema": "double"} for n in (*SIGNALS, "indoor")),
    {"@type": "Command", "name": "setHeat", "request": {"name": "power", "schema": "double"}},
]


class Remote:
    """A policy whose decisions come from the server; see `studies.energy.lived`."""

    def __init__(self, server: Inside, houses: int, warm_up: int, most: float, low: float) -> None:
        self._server, self._warm_up, self._most, self._low = server, warm_up, most, low
        self.twins = [f"house-{i:02}" for i in range(houses)]
        self._rows: dict[str, list[dict[str, float]]] = {t: [] for t in self.twins}
        self.given = np.zeros(houses)
        self.asked = self.missed = self.wrong = self.late = 0
        self._had = dict.fromkeys(self.twins, 0)
        self.is_ready = False

    def heat(self, k: int, read: F64, now: Any) -> F64:
        """What the server's commands have set; every hour it is given time to plan."""
        del read, now
        if k % 4 == 0:
            moment = (BEGIN + k * round(STEP)) * SECOND
            self._server.clock.now = moment - 5 * SECOND  # the server's own tick must not be first
            self._flush()
            self._server.clock.now = moment
            if not self.is_ready:
                self._prepare()
            self._hour()
        return self.given

    def saw(self, k: int, inputs: F64, read: F64, state: F64) -> None:
        """Takes readings down; they are sent by the day, later by the hour."""
        del state
        begin = (BEGIN + k * round(STEP)) * 1000
        for i, twin in enumerate(self.twins):
            row = dict(zip(SIGNALS, inputs[:, i].tolist(), strict=True))
            self._rows[twin] += [
                {"time": begin, **row},
                {"time": begin + 890_000, "indoor": float(read[i])},
            ]
        if k < self._warm_up and (k + 1) % DAY == 0:
            self._server.clock.now = (BEGIN + (k + 1) * round(STEP)) * SECOND
            self._flush()

    def _flush(self) -> None:
        self._server.send({twin: rows for twin, rows in self._rows.items() if rows})
        for rows in self._rows.values():
            rows.clear()

    def install(self) -> None:
        """Model, guards, twins, and an alarm for a house that is cold."""
        ask = self._server.ask
        base = {"@type": "Interface", "@context": "dtmi:dtdl:context;3"}
        ask("POST", "/models", [{"@id": MODEL, **base, "contents": CONTENTS}])
        guards = {"setHeat": {"minimum": 0, "maximum": self._most}}
        ask("PUT", f"/settings/{MODEL}", {"commands": guards})
        for twin in self.twins:
            ask("PUT", f"/digitaltwins/{twin}", {"$metadata": {"$model": MODEL}})
            self._server.connect(twin)
        rule = {"model": MODEL, "when": "indoor < 15 for 30 min", "title": "The house is cold"}
        ask("PUT", "/rules/cold", rule)

    def _prepare(self) -> None:
        server = self._server
        inputs = dict(zip(SIGNALS, SIGNALS, strict=True))
        body = {
            "kind": "behaviour",
            "model": MODEL,
            "autonomy": "act",
            "parameters": {
                "behaviour": "rc2", "observed": "indoor", "inputs": inputs, "step": 3600.0
            },
        }  # fmt: skip
        server.ask("PUT", f"/services/{SERVICE}", body)
        span = self._warm_up * STEP
        given = {"span": span, "starts": 2, "holdout": 0.25}
        asked = {"service": SERVICE, "run": "calibrate", "parameters": given}
        run = server.ask("POST", "/runs", asked)
        self._ended(run["id"])
        plan = {
            "low": self._low + MARGIN, "high": 25.0, "lowOutside": 16.0, "from": 6, "to": 22,
            "most": self._most, "command": "setHeat",
        }  # fmt: skip
        body["schedule"] = {"plan": {"every": 3600, "parameters": plan}}
        server.ask("PUT", f"/services/{SERVICE}", body)
        self.is_ready = True

    def _ended(self, key: str) -> None:
        ask = self._server.ask
        done = until(lambda: (r := ask("GET", f"/runs/{key}"))["ended"] and r, "the end of a run")
        if done["state"] != "succeeded":
            raise StudyError(f"a run has {done['state']}: {done['message']}")

    def _hour(self) -> None:
        """One plan, from the schedule to the commands that the houses have confirmed."""
        server = self._server
        self.asked += 1

        def plans() -> list[Any]:
            runs = server.ask("GET", "/runs", service=SERVICE, limit=1000)["value"]
            return [r for r in runs if r["run"] == "plan"]

        def newest_of_all() -> Any:
            return len(there := plans()) == self.asked and there[0]

        server.tick()
        newest = until(newest_of_all, "the scheduled plan")
        self._ended(newest["id"])
        planned = server.ask("GET", f"/runs/{newest['id']}/result")["result"]["twins"]
        wanted = {twin: one["first"] for twin, one in planned.items()}
        moment = to_iso(server.clock())
        self.late += sum(one["from"] != moment for one in planned.values())
        self.missed += len(self.twins) - len(wanted)
        heard = {twin: device.heard for twin, device in server.devices.items()}

        def arrived() -> bool:
            return all(len(heard[t]) >= self._had[t] + 1 for t in wanted)

        until(arrived, "the commands")
        until(lambda: not under_way(server), "the answers to commands")
        self._had = {twin: len(rows) for twin, rows in heard.items()}
        self.wrong += sum(abs(heard[t][-1][1] - v) > 1e-6 for t, v in wanted.items())
        self.given = np.array([heard[t][-1][1] if heard[t] else 0.0 for t in self.twins])


def through_platform(options: Options, tuned: dict[str, tuple[float, ...]]) -> dict[str, Any]:
    """A day of every house by the server, beside the rules and the oracle in the same houses."""
    from studies import energy

    weeks: tuple[int, ...] = energy.WEEKS
    houses, steps = [10 * options.seed + i for i in range(3)], DAY
    if options.small:
        weeks, houses, steps = weeks[:1], houses[:1], DAY // 12
    now = energy.setting(options, weeks, houses)
    found = {
        name: energy.lived(now, energy.Rule(*tuned[name]), steps)
        for name in ("constant", "set-back", "set-back + preheat")
    }
    found["oracle"] = energy.lived(now, energy.Planner(now, "true", 0.0), steps)
    begin = time.perf_counter()
    with inside(BEGIN * SECOND) as server:
        policy = Remote(server, len(now.seeds), energy.WARM_UP, energy.MOST_HEAT, energy.LOW)
        policy.install()
        found["plan through the server"] = energy.lived(now, policy, steps)
        server.tick()
        alarms = server.ask("GET", "/alarms", state="all", limit=1000)["value"]
        states = states_of(server)
        rejects = server.ask("GET", "/status")["rejects"]
        commands = sum(len(device.heard) for device in server.devices.values())
    return {
        "houses": len(now.seeds),
        "hours": steps // 4,
        "policies": {n: energy.figures(f, found) for n, f in found.items()},
        "plans": policy.asked,
        "commands": commands,
        "commandsByState": states,
        "plansThatLackedAHouse": policy.missed,
        "commandsUnlikeThePlan": policy.wrong,
        "plansFromOldReadings": policy.late,
        "alarms": len(alarms),
        "rejects": rejects,
        "wallSeconds": time.perf_counter() - begin,
        "timesRealTime": (energy.WARM_UP + steps) * STEP / (time.perf_counter() - begin),
    }


def under_way(server: Inside) -> bool:
    return bool(server.ask("GET", "/commands", state="open", limit=1000)["value"])


def states_of(server: Inside) -> dict[str, int]:
    """How all commands have ended."""

    def look() -> dict[str, int]:
        found: dict[str, int] = {}
        for one in server.ask("GET", "/commands", limit=10_000)["value"]:
            found[one["state"]] = found.get(one["state"], 0) + 1
        return {} if found.get("sent") or found.get("accepted") else found

    return until(look, "the ends of commands")
