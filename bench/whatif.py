"""1,000 what-if runs of a house for a week: at once, one by one, and as a plain loop.

And as a scenario, with what that adds: a baseline beside it, draws, bands, key figures, a rule.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from against.rows import parser, tell

from gemel.services.behaviour import behaviour_of, simulate
from gemel.services.contract import Instance, Job
from gemel.services.whatif.runs import simulate as run_scenario

STEP, STEPS = 900.0, 7 * 96


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--scenarios", type=int, default=1000)
    made.add_argument("--rounds", type=int, default=5)
    given = made.parse_args()
    tell(measured(given.scenarios, given.rounds), given.json)


def measured(scenarios: int, rounds: int) -> Iterator[dict[str, Any]]:
    random = np.random.default_rng(1)
    outdoor = 5 - 4 * np.cos(2 * np.pi * (np.arange(STEPS) / 96 - 0.2))
    heat = random.uniform(0, 6000, (STEPS, scenarios))
    outer = random.normal(250, 20, scenarios)
    house = behaviour_of("rc3")
    inputs = {"outdoor": outdoor, "heat": heat}

    def together() -> np.ndarray:
        return simulate(house, inputs, STEP, {"outer": outer}).output("temperature")

    def one_by_one() -> np.ndarray:
        found = [
            simulate(house, {"outdoor": outdoor, "heat": heat[:, k]}, STEP, {"outer": outer[k]})
            for k in range(50)
        ]
        return np.column_stack([f.output("temperature")[:, 0] for f in found])

    def plain() -> np.ndarray:
        return np.column_stack([_plain(outdoor, heat[:, k], outer[k]) for k in range(20)])

    whole = together()
    assert np.allclose(one_by_one(), whole[:, :50])
    assert np.abs(plain() - whole[:, :20]).max() < 0.02  # Euler at 10 s, held against exact steps
    size = {"scenarios": scenarios, "steps": STEPS}
    yield {"name": "together", **size, **_timed(together, rounds, 1.0)}
    yield {"name": "oneByOne", **size, **_timed(one_by_one, 3, scenarios / 50)}
    yield {"name": "asScenario", **size, **_timed(lambda: as_scenario(scenarios), 3, 1.0)}
    yield {"name": "plainLoop", **size, **_timed(plain, 1, scenarios / 20)}


def as_scenario(members: int) -> None:
    """A house of 3R3C that is heated less by night, `members` draws, beside itself left alone."""
    house = "dtmi:bench:House;1"
    values = {"temperature": 20.0, "heatingPower": 3000.0, "outdoor": 5.0}
    nights = [[24 * day + hour, 1500.0 if hour else 3000.0] for day in range(7) for hour in (6, 22)]
    plan = {
        "scenario": {
            "twins": ["house"], "hours": 168, "step": STEP, "members": members,
            "changes": [{"twin": "house", "property": "heatingPower", "schedule": nights}],
            "kpis": [{"twin": "house", "property": "temperature", "of": "min"}],
        },
        "fork": {"at": 0, "twins": [["house", "House", [house], values, True]], "links": []},
        "behaviours": [{
            "id": "houses", "model": house, "behaviour": "rc3",
            "parameters": {"outer": {"value": 250, "spread": 0.1}},
            "inputs": {"outdoor": "outdoor", "heat": "heatingPower"},
            "start": {"temperature": "temperature"},
            "outputs": {"temperature": "temperature"},
            "noise": {"temperature": 0.05},
        }],
        "rules": {"cold": {"model": house, "when": "temperature < 17 for 30 minutes"}},
        "shapes": {house: {"temperature": ["number", "", {}]}},
        "signals": [], "recorded": [], "units": {}, "kpis": [],
    }  # fmt: skip
    job = Job(Instance("", "whatif", (), {"plan": plan}), {})
    found = run_scenario(job, lambda *_: None)
    assert found.document["columns"] >= 2 * members


def _plain(outdoor: np.ndarray, heat: np.ndarray, outer: float) -> list[float]:
    """The same house as one would write it first: Euler steps of 10 s in plain Python."""
    inner, floor, air, wall, mass = 600.0, 400.0, 2e6, 3e7, 1e7
    t, w, m = 20.0, 18.0, 19.5
    found = []
    for out, power in zip(outdoor.tolist(), heat.tolist(), strict=True):
        for _ in range(90):
            dt = (inner * (w - t) + floor * (m - t) + power) / air
            dw = (inner * (t - w) + outer * (out - w)) / wall
            dm = floor * (t - m) / mass
            t, w, m = t + 10 * dt, w + 10 * dw, m + 10 * dm
        found.append(t)
    return found


def _timed(call: Callable[[], object], rounds: int, times: float) -> dict[str, float]:
    """Medians of so many rounds, for all scenarios (those that were left out by rule of three)."""
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return {
        "seconds": round(float(np.median(walls)) * times, 3),
        "cpuSeconds": round(float(np.median(cpus)) * times, 3),
    }


if __name__ == "__main__":
    main()
