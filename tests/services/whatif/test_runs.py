from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gemel.core.errors import InvalidInput
from gemel.services.behaviour import behaviour_of
from gemel.services.behaviour import simulate as run_behaviour
from gemel.services.contract import Column, Instance, Job, Result, Signal
from gemel.services.whatif.runs import simulate
from services.whatif.plants import AT, plan

KPIS = [
    {"id": "fill", "twin": "tank-2", "property": "fill", "of": "max", "best": "low"},
    {"id": "energy", "twin": "pump-1", "property": "power", "of": "integral", "best": "low"},
]
SLOW = {"twin": "pump-1", "property": "speedSetpoint", "value": 70}


def run(
    columns: dict[tuple[str, str], tuple[Any, Any]] | None = None, recorded: Any = (), **asked: Any
) -> Result:
    made = plan(**asked)
    columns = columns or {}
    made["signals"] = [list(key) for key in columns]
    made["recorded"] = list(recorded)
    instance = Instance("", "whatif", (), {"plan": made})
    signals = tuple(Signal(*key) for key in columns)
    given = [Column(np.asarray(t, np.int64), np.asarray(v, float)) for t, v in columns.values()]
    return simulate(Job(instance, {}, signals, given), lambda *_: None)


def series(found: Result, name: str, side: str = "scenario", word: str = "mean") -> Any:
    rows = [f"{t}.{p}" for t, p, _ in found.document["series"]]
    return found.arrays[f"{side}/{word}"][:, rows.index(name)].astype(float)


def kpi(found: Result, name: str) -> Any:
    return next(row for row in found.document["kpis"] if row["id"] == name)


def test_what_one_twin_gives_the_next_takes_along_their_relationship() -> None:
    found = run(changes=[SLOW], kpis=KPIS)
    first, second = series(found, "tank-1.level"), series(found, "tank-2.level")
    assert np.abs(first + second - 6.0).max() < 1e-5, "no water is made or lost"
    assert second[-1] < 2.5, "the slow pump brings less than is taken"
    assert kpi(found, "energy")["difference"]["high"] < 0
    assert kpi(found, "energy")["difference"]["sure"]


def test_nothing_changed_is_no_difference_member_by_member() -> None:
    found = run(kpis=KPIS)
    for row in found.document["kpis"]:
        assert row["baseline"]["low"] < row["baseline"]["high"], "lift is not sure"
        assert row["difference"] == {"mean": 0.0, "low": 0.0, "high": 0.0, "sure": False}


def test_the_same_seed_gives_the_same_again_and_another_does_not() -> None:
    one, same, other = (run(kpis=KPIS, seed=seed).document["kpis"] for seed in (1, 1, 2))
    assert one == same
    assert one[0]["baseline"] != other[0]["baseline"]


def test_without_draws_there_is_one_answer() -> None:
    found = run(kpis=KPIS, members=1)
    assert kpi(found, "fill")["scenario"]["low"] == kpi(found, "fill")["scenario"]["high"]


@pytest.mark.parametrize(
    ("change", "least", "most"),
    [
        ({"schedule": [[0, 0], [0.5, 24]]}, 3.99, 4.01),
        ({"value": 12}, 3.99, 4.01),
        ({"plus": 12}, 3.99, 4.01),
    ],
)
def test_inputs_are_set_by_value_sum_and_schedule(change: Any, least: float, most: float) -> None:
    still = {"model": "dtmi:test:Pump;1", "property": "flow", "value": 0}
    found = run(changes=[still, {"twin": "tank-1", "property": "supply", **change}])
    assert least < series(found, "tank-1.level")[-1] < most, "12 m³ on 12 m²"
    assert series(found, "tank-1.level", "baseline")[-1] == pytest.approx(3.0, abs=0.02)


def test_what_was_recorded_is_an_input_from_then_on() -> None:
    began = AT - 3600 * 10**9
    time = began + np.arange(61) * 60 * 10**9
    change = {"twin": "tank-1", "property": "supply", "recorded": "-1h"}
    found = run(
        {("tank-1", "supply"): (time, np.where(np.arange(61) < 30, 0.0, 24.0))},
        [["tank-1", "supply", "-1h", began]],
        changes=[{"model": "dtmi:test:Pump;1", "property": "flow", "value": 0}, change],
        boundary="hold",
    )
    assert series(found, "tank-1.level")[-1] == pytest.approx(4.0, abs=0.01)


def test_what_comes_from_outside_is_unsure_as_it_was_before() -> None:
    random = np.random.default_rng(3)
    time = AT - np.arange(1440, 0, -1) * 60 * 10**9
    found = run({("tank-1", "supply"): (time, 5 + random.normal(0, 2, 1440))}, members=40)
    low, high = (series(found, "tank-1.level", word=word)[-1] for word in ("low", "high"))
    assert high - low > 0.01
    assert any("as surely as that held" in line for line in found.document["assumptions"])


def test_rules_of_the_plant_raise_over_what_is_simulated() -> None:
    fast = {"twin": "pump-1", "property": "speedSetpoint", "value": 100}
    found = run(changes=[fast], hours=2.0).document["alarms"]
    assert [(a["rule"], a["twin"]) for a in found] == [("full", "tank-2")]
    baseline, scenario = found[0]["variants"]
    assert baseline["share"] == 0
    assert scenario["share"] == 1
    assert 0 < scenario["firstHours"] < 2
    assert 0 < scenario["activeHours"] < 2


def test_the_tornado_tells_what_a_figure_hangs_on_the_widest_first() -> None:
    both = [SLOW, {"twin": "pump-2", "property": "speedSetpoint", "value": 84}]
    bars = kpi(run(changes=both, kpis=KPIS), "energy")["tornado"]
    names = [bar["name"] for bar in bars]
    assert set(names) == {"pumps.lift", "pump-1.speedSetpoint = 70", "pump-2.speedSetpoint = 84"}
    widths = [abs(bar["high"] - bar["low"]) for bar in bars]
    assert widths == sorted(widths, reverse=True)
    assert names[0] == "pump-1.speedSetpoint = 70"


def test_a_sweep_is_ranked_and_what_nothing_beats_is_marked() -> None:
    vary = [{"twin": "pump-1", "property": "speedSetpoint", "from": 60, "to": 100}]
    sweep = {"design": "grid", "members": 2, "vary": [{**vary[0], "levels": 5}]}
    found = run(kpis=KPIS, sweep=sweep).document["sweep"]
    assert found["goals"] == ["fill", "energy"]
    speeds = {row["values"][0]: row for row in found["variants"]}
    assert sorted(speeds) == [60, 70, 80, 90, 100]
    assert speeds[100]["rank"] > 0, "fuller and dearer than every other"
    energy = [speeds[s]["kpis"][1]["mean"] for s in sorted(speeds)]
    assert energy == sorted(energy)
    assert [row["rank"] for row in found["variants"]] == sorted(
        row["rank"] for row in found["variants"]
    )


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"changes": [{"twin": "tank-1", "parameter": "area", "times": 0}]}, "'area' of 'tank-1'"),
        ({"changes": [{"twin": "tank-1", "parameter": "are", "value": 1}]}, "no parameter 'are'"),
        ({"changes": [{"twin": "tank-9", "property": "level", "value": 1}]}, "not in the fork"),
        ({"changes": [{"twin": "tank-1", "property": "level"}]}, "says 0 things"),
        ({"kpis": [{"twin": "tank-9", "property": "level"}]}, "'tank-9' is not in the fork"),
        ({"members": 0}, "members is 0"),
        ({"step": 0.1, "hours": 24}, "864,000 steps"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(asked: Any, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        run(**asked)


def test_a_long_run_keeps_values_further_apart() -> None:
    found = run(hours=24 * 7, step=300.0, members=2)
    assert len(found.arrays["time"]) <= 721
    assert found.document["every"] == 900
    assert found.arrays["time"][-1] == AT + 7 * 86_400 * 10**9


def test_a_state_that_nobody_measures_is_found_beside_what_was_measured() -> None:
    house, steps = "dtmi:test:House;1", 24 * 60
    random = np.random.default_rng(2)
    heat = np.repeat(random.uniform(0, 6_000, 48), 60)
    truth = run_behaviour(
        behaviour_of("rc2"),
        {"outdoor": 5.0, "heat": heat},
        60.0,
        start={"temperature": 20.0, "wall": 12.0},
    )
    time = AT + (np.arange(steps) - steps) * 60 * 10**9
    columns = {
        ("house", "temperature"): (time, truth.state("temperature")[:steps, 0]),
        ("house", "heatingPower"): (time, heat[:steps]),
    }
    attached: dict[str, Any] = {
        "id": "houses",
        "model": house,
        "behaviour": "rc2",
        "inputs": {"outdoor": 5.0, "heat": "heatingPower"},
        "start": {"temperature": "temperature", "wall": "temperature"},
        "outputs": {"temperature": "temperature"},
    }
    values = {"temperature": float(truth.state("temperature")[steps, 0]), "heatingPower": 3000.0}
    recorded = {"twin": "house", "property": "heatingPower", "schedule": [
        [k / 60, float(h)] for k, h in enumerate(heat[steps : steps + 240])]}  # fmt: skip

    def error(hidden: dict[str, float]) -> float:
        made = plan(twins=["house"], hours=4.0, members=4, changes=[recorded], span=24)
        made["fork"]["twins"] = [["house", "House", [house], values, True]]
        made["fork"]["links"] = []
        made["behaviours"] = [{**attached, "hidden": hidden}]
        made["signals"] = [list(key) for key in columns]
        signals = tuple(Signal(*key) for key in columns)
        given = [Column(t.astype(np.int64), v) for t, v in columns.values()]
        instance = Instance("", "whatif", (), {"plan": made})
        found = simulate(Job(instance, {}, signals, given), lambda *_: None)
        said = series(found, "house.temperature")[1:]
        return float(np.abs(said - truth.state("temperature")[steps + 1 : steps + 241, 0]).mean())

    assert error({}) > 1.0
    assert error({"wall": 0.0}) < 0.35, "a day of a wall of 8 h leaves 5 of 100 of what was wrong"
