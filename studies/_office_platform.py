"""A day of offices through the real server: readings and commands by MQTT, hourly plans.

The offices are this program; the server knows what it is sent. After 14 days of readings the
service `air-handler` learns each office; then its schedule plans every hour, and as its autonomy is
to act, the set points pass the guards of all commands and reach the air handler, which confirms.
"""

from __future__ import annotations

import time
from typing import Any

from gemel.core.batch import F64
from gemel.core.clock import SECOND, to_iso
from studies import Options, StudyError
from studies._energy_platform import states_of, under_way
from studies._house import DAY, STEP
from studies._inside import Inside, inside, until
from studies._office import SIGNALS, ZONE_SIGNALS, ZONES, Offices, Set
from studies._office_policies import (
    BEGIN,
    HOUR,
    PATHS,
    WARM_UP,
    Oracle,
    lived,
    parameters,
    plan_parameters,
    set_of,
    usual,
    warmed,
)

MODEL = "dtmi:study:AirHandler;1"
SERVICE = "air"
COMMANDS = {"supply": "setSupply", "pressure": "setPressure", "fresh": "setFresh", "fan": "setFan"}
GUARDS = {"setSupply": (10, 20), "setPressure": (0, 260), "setFresh": (0, 1), "setFan": (0, 1)}
LATE = ("temperature", "co2")


def _contents() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {"@type": "Telemetry", "name": n, "schema": "double"} for n in PATHS
    ]
    for name in GUARDS:
        request = {"name": "value", "schema": "double"}
        rows.append({"@type": "Command", "name": name, "request": request})
    return rows


class Remote:
    """A policy whose set points come from the server."""

    def __init__(
        self, server: Inside, history: list[dict[str, F64]], count: int, settings: list[float]
    ) -> None:
        self._server, self._history, self._settings = server, history, settings
        self.twins = [f"office-{i:02}" for i in range(count)]
        self._rows: dict[str, list[dict[str, float]]] = {t: [] for t in self.twins}
        self._seen = 0
        self._had = dict.fromkeys(self.twins, 0)
        self.first: list[Any] | None = None
        self._alone = usual()
        self.asked = self.missed = self.wrong = self.late = 0

    def told(self, k: int, plant: Offices) -> Set:
        if k % HOUR == 0 or self.first is None:
            if self.first is None:
                self._begin()
            self._move(k)
            if self.first is None:
                self._prepare()
            self.first = self._hour()
        return set_of(self.first, self._alone.told(k, plant))

    def saw(self, k: int, measured: dict[str, F64]) -> None:
        begin = (BEGIN + k * round(STEP)) * 1000
        for i, twin in enumerate(self.twins):
            row = {n: round(float(measured[n][i]), 4) for n in SIGNALS}
            late: dict[str, float] = {}
            for name in ZONE_SIGNALS:
                place = late if name in LATE else row
                for z in range(ZONES):
                    place[f"{name}{z + 1}"] = round(float(measured[name][z, i]), 5)
            self._rows[twin] += [{"time": begin, **row}, {"time": begin + 890_000, **late}]

    def _move(self, k: int) -> None:
        """The clock to the begin of a step, with all readings before it taken in."""
        moment = (BEGIN + k * round(STEP)) * SECOND
        self._server.clock.now = moment - 5 * SECOND  # the server's own tick must not be first
        self._flush()
        self._server.clock.now = moment

    def _flush(self) -> None:
        self._server.send({twin: rows for twin, rows in self._rows.items() if rows})
        for rows in self._rows.values():
            rows.clear()

    def _begin(self) -> None:
        """Model, guards and twins; then the days before, day by day."""
        ask = self._server.ask
        base = {"@type": "Interface", "@context": "dtmi:dtdl:context;3"}
        ask("POST", "/models", [{"@id": MODEL, **base, "contents": _contents()}])
        guards = {n: {"minimum": low, "maximum": high} for n, (low, high) in GUARDS.items()}
        ask("PUT", f"/settings/{MODEL}", {"commands": guards})
        for twin in self.twins:
            ask("PUT", f"/digitaltwins/{twin}", {"$metadata": {"$model": MODEL}})
            self._server.connect(twin)
        for k, measured in enumerate(self._history):
            self.saw(k, measured)
            if (k + 1) % DAY == 0:
                self._move(k + 1)

    def _prepare(self) -> None:
        server = self._server
        body: dict[str, Any] = {
            "kind": "air-handler", "model": MODEL, "autonomy": "act", "parameters": parameters(),
        }  # fmt: skip
        server.ask("PUT", f"/services/{SERVICE}", body)
        asked = {"service": SERVICE, "run": "learn", "parameters": {"span": WARM_UP * STEP}}
        self._ended(server.ask("POST", "/runs", asked)["id"])
        plan = plan_parameters(*self._settings) | {"commands": COMMANDS}
        body["schedule"] = {"plan": {"every": 3600, "parameters": plan}}
        server.ask("PUT", f"/services/{SERVICE}", body)

    def _ended(self, key: str) -> None:
        ask = self._server.ask
        done = until(lambda: (r := ask("GET", f"/runs/{key}"))["ended"] and r, "the end of a run")
        if done["state"] != "succeeded":
            raise StudyError(f"a run has {done['state']}: {done['message']}")

    def _hour(self) -> list[Any]:
        """One plan, from the schedule to the commands that the offices have confirmed."""
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
        moment = to_iso(server.clock())
        self.late += sum(one["from"] != moment for one in planned.values())
        self.missed += len(self.twins) - len(planned)
        heard = {twin: device.heard for twin, device in server.devices.items()}
        due = {t: len(COMMANDS) if one["first"]["fan"] else 1 for t, one in planned.items()}
        until(lambda: all(len(heard[t]) >= self._had[t] + n for t, n in due.items()), "commands")
        until(lambda: not under_way(server), "the answers to commands")
        told = {}
        for twin, one in planned.items():
            said = dict(heard[twin][self._had[twin] :])
            wanted = {c: one["first"][n] for n, c in COMMANDS.items() if c in said}
            self.wrong += any(abs(said[c] - v) > 1e-6 for c, v in wanted.items())
            first = {n: said.get(c, one["first"][n]) for n, c in COMMANDS.items()}
            told[twin] = {"first": first}
            self._had[twin] = len(heard[twin])
        return [told.get(twin) for twin in self.twins]


def through_platform(options: Options, chosen: dict[str, Any]) -> dict[str, Any]:
    """A day of every office by the server, beside the rules and the oracle in the same offices."""
    from studies import _office_study as study

    first, steps = (WARM_UP + 6 * HOUR, 3 * HOUR) if options.small else (WARM_UP, DAY)
    now = study.setting(options, 1)
    plant, history = warmed(now, first)
    rules = study.policies(chosen) | {"oracle": Oracle()}
    found = {n: lived(plant, policy, steps, first) for n, policy in rules.items()}
    begin = time.perf_counter()
    with inside(BEGIN * SECOND) as server:
        policy = Remote(server, history, plant.count, chosen["plan"]["settings"])
        found["plan through the server"] = lived(plant, policy, steps, first)
        server.tick()
        states = states_of(server)
        rejects = server.ask("GET", "/status")["rejects"]
        commands = sum(len(device.heard) for device in server.devices.values())
    wall = time.perf_counter() - begin
    return {
        "offices": plant.count,
        "hours": steps // HOUR,
        "policies": {n: study.figures(f, found, 1) for n, f in found.items()},
        "plans": policy.asked,
        "commands": commands,
        "commandsByState": states,
        "plansThatLackedAnOffice": policy.missed,
        "commandsUnlikeThePlan": policy.wrong,
        "plansFromOldReadings": policy.late,
        "rejects": rejects,
        "wallSeconds": wall,
        "timesRealTime": (WARM_UP + steps) * STEP / wall,
    }
