"""Scenarios held against what then happened: the demo plant is changed for real, and forecast.

The plant is the simulated one of `gemel demo` (`gemel.simulate`), stepped at 1 s without sensors'
noise; it is richer than the behaviours that `plant.yaml` attaches to it (curves with exponents,
ramps, drifting flows, heat of windings apart from housings, weather with fronts and clouds). From
its fifteenth hour on it is forked every four hours: in one copy set points are changed, and it goes
on for three hours beside the copy that is left alone. The scenario knows the hours before (as the
history has them, a value a minute), the values of the moment, and the change; weather, people and
what the line draws come to it as `likely`. Parameters are those of `plant.yaml`.

Marks, written before the first run: the 90 % bands hold 75 to 99 of 100 moments of the changed
plant, over all series together; the mean error of the scenario is below that of "stays as it was"
on most series; the sign of the change of a key figure is right where the scenario is sure of it, in
at least 95 of 100; its band holds the true change in at least 75 of 100.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import gemel.simulate
from gemel.services.contract import Column, Instance, Job, Result, Signal
from gemel.services.whatif.runs import asked_of, simulate
from gemel.simulate.floor import Floor
from gemel.simulate.plant import Area
from studies import Options

BEGIN = 1_790_000_000
AREAS = ("motors", "utilities", "building", "line")
MINUTE, HOUR = 60, 3600
NS = 10**9
MARKS: dict[str, Any] = {"coverage": [0.75, 0.99], "skill": 0.5, "sign": 0.95, "difference": 0.75}
CHANGES: list[dict[str, Any]] = [
    {"model": "dtmi:gemel:demo:Zone;1", "property": "temperatureSetpoint", "value": 23.5},
    {"twin": "pump-3", "property": "speedSetpoint", "value": 70},
]
KPIS: list[dict[str, Any]] = [
    {"id": "building power", "twin": "building-1", "property": "power"},
    {"id": "mean temperature", "twin": "building-1", "property": "meanTemperature"},
    {"id": "highest CO2", "twin": "building-1", "property": "highestCo2", "of": "max"},
    {"id": "station power", "twin": "pump-station", "property": "power"},
    {"id": "fill of tank 3", "twin": "tank-3", "property": "fill", "of": "max"},
    {"id": "fill of tank 4", "twin": "tank-4", "property": "fill", "of": "min"},
    {"id": "circulated", "twin": "pump-station", "property": "totalFlow"},
]
JUDGED = {
    "zone temperature": [(f"zone-{n}", "temperature") for n in range(1, 6)],
    "zone CO2": [(f"zone-{n}", "co2") for n in range(1, 6)],
    "building power": [("building-1", "power")],
    "supply air flow": [("ahu-1", "airFlow")],
    "tank fill": [(f"tank-{n}", "fill") for n in range(1, 5)],
    "pump flow": [(f"pump-{n}", "flow") for n in range(1, 5)],
    "pump power": [(f"pump-{n}", "power") for n in range(1, 5)],
    "motor temperature": [(f"motor-{n}", "temperature") for n in range(1, 5)],
    "station power": [("pump-station", "power")],
}
Values = dict[tuple[str, str], float]


def run(options: Options) -> dict[str, Any]:
    warm, day, horizon, every = (1, 1, 1, 4) if options.small else (14, 16, 3, 4)
    members = 8 if options.small else 60
    area = Area(AREAS, options.seed, Floor(), float(BEGIN))
    record: list[Values] = [_look(area)]
    plants: dict[int, Area] = {}
    for minute in range((warm + day) * 60):
        if minute >= warm * 60 and (minute - warm * 60) % (every * 60) == 0:
            plants[minute] = copy.deepcopy(area)
        area.advance(MINUTE)
        record.append(_look(area))
    demo = _Demo(record)
    forks = []
    for minute, changed in plants.items():
        if minute + horizon * 60 > len(record) - 1:
            continue
        truth = _changed(changed, horizon)
        found = demo.scenario(minute, horizon, members, warm)
        forks.append(_Fork(record[minute], truth, record[minute : minute + len(truth)], found))
    return _summary(forks, members, horizon)


def _look(area: Area) -> Values:
    """All numbers of the plant as they truly are, and what its devices report as set."""
    found: Values = {}
    for device in area.devices:
        for readings in (device.truth(), device.reported()):
            for twin, values in readings.items():
                for path, value in values.items():
                    if isinstance(value, int | float) and not isinstance(value, bool):
                        found[twin, path] = float(value)
    return found


def _changed(area: Area, hours: int) -> list[Values]:
    for zone in range(1, 6):
        area.desire(f"zone-{zone}", {"temperatureSetpoint": CHANGES[0]["value"]})
    area.desire("pump-3", {"speedSetpoint": CHANGES[1]["value"]})
    truth = [_look(area)]
    for _ in range(hours * 60):
        area.advance(MINUTE)
        truth.append(_look(area))
    return truth


class _Demo:
    """The demo's twins, relationships and behaviours, with the record as their history."""

    def __init__(self, record: list[Values]) -> None:
        self._record = record
        folder = Path(gemel.simulate.__file__).parent / "plants" / "demo"
        self.plant = yaml.safe_load((folder / "plant.yaml").read_text("utf-8"))
        models = [json.loads(f.read_text("utf-8")) for f in sorted(folder.glob("models/*.json"))]
        self._bases = {m["@id"]: _listed(m.get("extends")) for m in models}
        names = {
            c["name"]
            for m in models
            for c in m.get("contents", [])
            if c["@type"] == "Relationship" or "Relationship" in c["@type"]
        }
        self._links = [
            [source, name, target]
            for source, entry in self.plant["twins"].items()
            for name in names & set(entry)
            for target in _listed(entry[name])
        ]

    def _models(self, model: str) -> list[str]:
        found = [model]
        for one in found:
            found += [base for base in self._bases.get(one, []) if base not in found]
        return found

    def scenario(self, minute: int, hours: int, members: int, span: int) -> Result:
        """What the scenario says at a minute of the record; it sees nothing after that."""
        at = (BEGIN + minute * MINUTE) * NS
        now = self._record[minute]
        twins = [
            [t, t, self._models(e["model"]), {p: v for (w, p), v in now.items() if w == t}, True]
            for t, e in self.plant["twins"].items()
        ]
        plan: dict[str, Any] = {
            "id": "study",
            "scenario": {
                "twins": ["plant"], "hours": hours, "members": members, "span": span,
                "changes": CHANGES, "kpis": KPIS,
            },
            "fork": {"at": at, "twins": twins, "links": self._links},
            "behaviours": self.plant["behaviours"],
            "rules": {}, "shapes": {}, "units": {}, "kpis": [], "recorded": [],
        }  # fmt: skip
        network = asked_of(plan).network
        keys = [key for key in (*network.boundary(), *network.produced) if key in now]
        plan["signals"] = [list(key) for key in keys]
        past = self._record[max(0, minute - span * 60) : minute + 1]
        time = at - np.arange(len(past) - 1, -1, -1, dtype=np.int64) * MINUTE * NS
        columns = [Column(time, np.array([one[key] for one in past])) for key in keys]
        signals = tuple(Signal(*key) for key in keys)
        job = Job(Instance("", "whatif", (), {"plan": plan}), {}, signals, columns)
        return simulate(job, lambda *_: None)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


class _Fork:
    """One fork: the plant that was changed, the one that was left alone, and what was forecast."""

    def __init__(
        self, now: Values, changed: list[Values], alone: list[Values], found: Result
    ) -> None:
        self.now, self.changed, self.alone, self.found = now, changed, alone, found
        self._rows = {(t, p): i for i, (t, p, _) in enumerate(found.document["series"])}

    def judged(self, key: tuple[str, str], side: str) -> dict[str, float]:
        truth = self.changed if side == "scenario" else self.alone
        real = np.array([one[key] for one in truth])[1:]
        row = self._rows[key]
        mean, low, high = (
            self.found.arrays[f"{side}/{word}"][1:, row].astype(float)
            for word in ("mean", "low", "high")
        )
        return {
            "coverage": float(((real >= low) & (real <= high)).mean()),
            "error": float(np.abs(mean - real).mean()),
            "held": float(np.abs(self.now[key] - real).mean()),
            "width": float((high - low).mean()),
        }

    def differences(self) -> list[dict[str, Any]]:
        rows = []
        for row, kpi in zip(self.found.document["kpis"], KPIS, strict=True):
            key = (kpi["twin"], kpi["property"])
            of = {"max": np.max, "min": np.min}.get(kpi.get("of", ""), np.mean)
            changed, alone = (
                float(of([one[key] for one in truth[1:]])) for truth in (self.changed, self.alone)
            )
            said, true = row["difference"], changed - alone
            rows.append(
                {
                    "id": kpi["id"],
                    "true": true,
                    "said": said["mean"],
                    "sure": said["sure"],
                    "right": said["mean"] * true > 0,
                    "held": said["low"] <= true <= said["high"],
                }
            )
        return rows


def _summary(forks: list[_Fork], members: int, horizon: int) -> dict[str, Any]:
    series: dict[str, Any] = {}
    for name, keys in JUDGED.items():
        series[name] = {}
        for side, words in (("scenario", "changed"), ("baseline", "leftAlone")):
            found = [fork.judged(key, side) for fork in forks for key in keys]
            means = {k: float(np.mean([one[k] for one in found])) for k in found[0]}
            means["skill"] = 1 - means["error"] / means["held"] if means["held"] else 0.0
            series[name][words] = means
    changed = [one["changed"] for one in series.values()]
    rows = [row for fork in forks for row in fork.differences()]
    sure = [row for row in rows if row["sure"]]
    kpis = {
        kpi["id"]: {
            "said": float(np.mean([r["said"] for r in rows if r["id"] == kpi["id"]])),
            "true": float(np.mean([r["true"] for r in rows if r["id"] == kpi["id"]])),
            "held": float(np.mean([r["held"] for r in rows if r["id"] == kpi["id"]])),
        }
        for kpi in KPIS
    }
    totals = {
        "coverage": float(np.mean([one["coverage"] for one in changed])),
        "coverageLeftAlone": float(np.mean([o["leftAlone"]["coverage"] for o in series.values()])),
        "skill": float(np.mean([one["skill"] > 0 for one in changed])),
        "sure": len(sure) / len(rows),
        "sign": float(np.mean([row["right"] for row in sure])) if sure else 0.0,
        "difference": float(np.mean([row["held"] for row in rows])),
    }
    low, high = MARKS["coverage"]
    return {
        "forks": len(forks),
        "hours": horizon,
        "members": members,
        "marks": MARKS,
        **totals,
        "series": series,
        "kpis": kpis,
        "met": {
            "coverage": low <= totals["coverage"] <= high,
            "skill": totals["skill"] > MARKS["skill"],
            "sign": totals["sign"] >= MARKS["sign"],
            "difference": totals["difference"] >= MARKS["difference"],
        },
    }
