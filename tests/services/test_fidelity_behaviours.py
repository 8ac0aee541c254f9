"""Behaviour models as levels: built-in ones and an FMU, judged by what their choices cost."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput
from gemel.services.contract import Column, Instance, Job, Signal
from gemel.services.fidelity.behaviours import check, compare, foreign
from gemel.services.fidelity.kind import KIND
from gemel.services.foreign import opened
from gemel.services.schema import completed
from services.foreign.tank import needs_fmi, tank

NAMES = {"outdoor": "outdoor", "heat": "heat"}
OUTPUTS = {"temperature": "temperature"}


def level(name: str, behaviour: str, **given: Any) -> dict[str, Any]:
    return {"name": name, "behaviour": behaviour, "inputs": NAMES, "outputs": OUTPUTS, **given}


HOUSE = {
    "levels": [
        level("lossless", "rc1", values={"loss": 1.0}, start={"temperature": 20.0}),
        level("one", "rc1", start={"temperature": 20.0}),
        level("three", "rc3", start={"temperature": 20.0}),
    ],
    "inputs": {"outdoor": 5.0, "heat": 0},
    "step": 3600,
}
HEAT = {
    "chosen": "heat",
    "candidates": list(range(0, 8001, 500)),
    "cost": {"heat": 0.001},
    "limits": {"temperature": {"low": 20, "high": 24, "price": 5}},
    "vary": {"outdoor": 0.5, "outer": 0.1},
    "draws": 30,
}


def ran(levels: dict[str, Any], asked: dict[str, Any], **job: Any) -> dict[str, Any]:
    run = KIND.run("compare")
    assert run is not None
    parameters = completed(KIND.parameters, levels)
    check(parameters, job.get("foreign", {}))
    twins = tuple(sorted({s.twin for s in job.get("signals", ())}))
    instance = Instance("free", "fidelity", twins, parameters, foreign=job.pop("foreign", {}))
    given = completed(run.parameters, asked)
    return compare(Job(instance, given, **job), lambda *_: None).document


def test_a_model_that_decides_badly_is_told_from_one_that_decides_well() -> None:
    found = ran(HOUSE, HEAT)
    by_name = {one["name"]: one for one in found["levels"]}
    assert found["reference"] == "three"
    assert by_name["three"]["regret"] == 0
    assert by_name["lossless"]["low"] > 0.05
    assert by_name["lossless"]["mostChosen"] < by_name["three"]["mostChosen"]
    assert found["level"] in ("one", "three")
    assert found["isSure"] is True
    assert by_name["three"]["secondsADecision"] > 0
    again = ran(HOUSE, HEAT)
    assert [one["cost"] for one in again["levels"]] == [one["cost"] for one in found["levels"]]


def test_scenarios_are_windows_of_history_in_which_all_was_read() -> None:
    hour = 3600 * SECOND
    times = np.arange(0, 96 * hour, hour)
    cold = Column(times, np.where(times < 48 * hour, 10.0, -5.0))
    gone = Column(times[:10], cold.value[:10])
    signals = (Signal("a", "weather"), Signal("b", "weather"), Signal("c", "other"))
    levels = {**HOUSE, "inputs": {"outdoor": "weather", "heat": 0}}
    asked = {**HEAT, "vary": {}, "draws": 1}
    given = {"signals": signals, "columns": (cold, gone, cold), "begin": 0, "end": 96 * hour}
    found = ran(levels, asked, **given)
    assert found["scenarios"] == 5  # four days of a, one of b
    with pytest.raises(InvalidInput, match="no window of history"):
        ran(levels, asked, **{**given, "signals": (Signal("c", "other"),) * 3})


@needs_fmi
def test_an_fmu_is_a_level_and_may_be_the_reference(tmp_path: Path) -> None:
    levels = {
        "levels": [
            {
                "name": "closed", "behaviour": "tank", "values": {"area": 1.0},
                "start": {"level": 1.0}, "inputs": {"in": "inflow"}, "outputs": {"h": "level"},
            },
            {
                "name": "leaking", "behaviour": "basin",
                "inputs": {"in": "inflow"}, "outputs": {"h": "level"},
            },
        ],
        "step": 1,
    }  # fmt: skip
    asked = {
        "chosen": "in", "candidates": [0.0, 0.05, 0.1, 0.15], "window": 20, "draws": 4,
        "limits": {"h": {"low": 1.0, "price": 1.0}}, "cost": {"in": 0.1}, "vary": {"leak": 0.3},
    }  # fmt: skip
    data = tank(2)
    with opened("basin", data, "co-simulation") as model:
        description = model.description
    assert foreign(completed(KIND.parameters, levels)) == ("basin",)
    found = ran(levels, asked, foreign={"basin": description | kept(data, tmp_path)})
    closed, leaking = found["levels"]
    assert (closed["mostChosen"], leaking["mostChosen"]) == (0.0, 0.1)
    assert leaking["regret"] == 0 < closed["regret"]


def kept(data: bytes, folder: Path) -> dict[str, Any]:
    """As an import keeps it."""
    file = folder / "basin.fmu"
    file.write_bytes(data)
    limits = {"mode": "co-simulation", "memoryMb": 1024, "patience": 10.0}
    return {"file": str(file), "sha256": hashlib.sha256(data).hexdigest(), **limits}


@pytest.mark.parametrize(
    ("levels", "asked", "says"),
    [
        ({"levels": HOUSE["levels"][:1]}, {}, "less than two"),
        ({"levels": [HOUSE["levels"][0]] * 2}, {}, "the same name"),
        ({"reference": "four"}, {}, "no level 'four'"),
        ({"levels": [level("x", "rc1", values={"walls": 1}), HOUSE["levels"][1]]}, {}, "walls"),
        ({}, {"chosen": "cold"}, "calls 'cold'"),
        ({}, {"cost": {"power": 1}}, "calls 'power'"),
        ({}, {"cost": {}, "limits": {}}, "no choice costs anything"),
        ({}, {"limits": {"temperature": {"low": 1}}}, "'price'"),
        ({}, {"cost": {}, "limits": {"temperature": {"price": 1}}}, "costs 0"),
        ({}, {"draws": 1, "vary": {}}, "no interval"),
        ({}, {"vary": {"walls": 0.1}}, "walls"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    levels: dict[str, Any], asked: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        ran({**HOUSE, **levels}, {**HEAT, **asked})
