"""Told apart in hindsight: a plant that changes, and a sensor that goes off."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput
from gemel.services.behaviour import behaviour_of
from gemel.services.calibration.explain import (
    AS_CALIBRATED,
    CHANGED,
    SENSOR,
    explain,
    explain_alike,
)
from gemel.services.calibration.hindsight import HINDSIGHT, explain_twins, need_of_some
from gemel.services.calibration.kind import KIND
from gemel.services.calibration.live import BehaviourFollower
from gemel.services.calibration.offline import Data
from gemel.services.calibration.runs import calibrate_twins
from gemel.services.contract import Column, Fit, Instance, Job, Readings, Setup, Signal
from gemel.services.schema import completed

MODEL = behaviour_of("rc2")
STEP, DAY, DAYS = 1800.0, 48, 24
USUAL = {p.name: p.value for p in MODEL.parameters}
NAMES = ("outdoor", "heat", "solar", "gains")


@cache
def lived(change: float = 1.0, bias: float = 0.0) -> Data:
    """A house whose heat loss or thermometer creeps away within ten days, from day five on."""
    random = np.random.default_rng(3)
    steps = DAYS * DAY
    hour = np.arange(steps) % DAY / 2
    creep = np.clip((np.arange(steps) / DAY - 5) / 10, 0, 1)
    outdoor = 4 + 4 * np.sin((hour - 9) / 12 * np.pi) + np.cumsum(random.normal(0, 0.35, steps))
    sun = np.maximum(0, 300 * np.sin((hour - 6) / 12 * np.pi)) * random.uniform(0, 1, steps)
    inputs, read = np.zeros((steps, 4)), np.zeros(steps)
    state, seen = np.array([[20.0], [17.0]]), 20.0
    for day in range(DAYS):
        values = np.array(list(USUAL.values()))[:, None]
        outer = MODEL.place("parameters", "outer")
        values[outer] *= 1 + (change - 1) * creep[day * DAY]
        step = MODEL.prepare(values, STEP)
        for k in range(day * DAY, (day + 1) * DAY):
            wanted = 21.0 if 7 <= hour[k] < 22 else 18.0
            heat = np.clip(3000 + 1500 * (wanted - seen), 0, 8000)
            inputs[k] = outdoor[k], heat, sun[k], 300.0
            state, outputs = step(state, inputs[k][:, None])
            seen = read[k] = outputs[0, 0] + bias * creep[k] + random.normal(0, 0.1)
    return Data({n: inputs[:, i] for i, n in enumerate(NAMES)}, read, STEP, "temperature")


def judged(data: Data):
    return explain(MODEL, data, USUAL, ["outer"], 0.1)


def test_a_sensor_that_creeps_away_is_the_sensor() -> None:
    found = judged(lived(bias=1.5))
    assert found.verdict == SENSOR
    assert found.bias == pytest.approx(1.5, abs=0.25)
    assert found.rmse["sensor"] < found.rmse["plant"]


def test_a_heat_loss_that_creeps_away_is_the_plant() -> None:
    found = judged(lived(change=1.3))
    assert found.verdict == CHANGED
    assert found.changes["outer"] == pytest.approx(0.3, abs=0.06)


def test_where_nothing_happens_all_is_as_calibrated() -> None:
    found = judged(lived())
    assert found.verdict == AS_CALIBRATED
    assert abs(found.bias) < 0.4


def test_gaps_in_what_was_read_are_left_out() -> None:
    data = lived(bias=1.5)
    read = data.observed.copy()
    read[200:260] = np.nan
    found = judged(Data(data.inputs, read, STEP, "temperature"))
    assert found.verdict == SENSOR


def test_what_cannot_be_judged_says_why() -> None:
    with pytest.raises(InvalidInput, match="no parameter may change"):
        explain(MODEL, lived(), USUAL, [], 0.1)
    with pytest.raises(InvalidInput, match="days are too few"):
        judged(lived().part(0, 100))


def job(data: Data, calibrated_until: int = 0) -> Job:
    """As the run is given it: the house as a twin, calibrated before the data begins."""
    inputs: dict[str, object] = {n: n for n in NAMES}
    given = {"behaviour": "rc2", "inputs": inputs, "observed": "indoor", "follow": ["outer"],
             "step": STEP}  # fmt: skip
    run = KIND.run("explain")
    assert run is not None
    parameters = completed(KIND.parameters, given)
    signals = tuple(Signal("h1", n) for n in (*NAMES, "indoor"))
    times = (1_000_000_800 + np.arange(len(data)) * 1800) * SECOND
    columns = [Column(times, np.asarray(data.inputs[n])) for n in NAMES]
    columns.append(Column(times + 1790 * SECOND, data.observed))
    fit = Fit({"twins": {"h1": {"parameters": USUAL}}}, end=calibrated_until or int(times[0]))
    instance = Instance("houses", "behaviour", ("h1",), parameters, signals)
    complete = completed(run.parameters, {})
    return Job(instance, complete, signals, columns, int(times[0]), int(times[-1]) + 1, fit=fit)


def test_the_run_says_which_it_is_and_writes_what_the_sensor_is_off_by() -> None:
    found = explain_twins(job(lived(bias=1.5)), lambda *_: None)
    one = found.document["twins"]["h1"]
    assert one["verdict"] == SENSOR
    (series,) = found.series
    assert (series.twin, series.path) == ("h1", HINDSIGHT)
    assert series.value[0] == pytest.approx(one["bias"])
    changed = explain_twins(job(lived(change=1.3)), lambda *_: None)
    assert changed.document["twins"]["h1"]["verdict"] == CHANGED
    assert changed.series[0].value[0] == 0


def test_a_span_that_does_not_reach_the_calibration_leaves_open_where_lines_begin() -> None:
    found = explain_twins(job(lived(bias=1.5), calibrated_until=1), lambda *_: None)
    assert found.document["twins"]["h1"]["bias"] == pytest.approx(1.5, abs=0.3)


def test_a_sensor_that_is_off_is_marked_once_in_a_version_of_its_own() -> None:
    asked = job(lived(bias=1.5))
    marked = explain_twins(asked, lambda *_: None).fit
    assert marked is not None
    assert asked.fit is not None
    one = marked.document["twins"]["h1"]
    assert one["parameters"] == asked.fit.document["twins"]["h1"]["parameters"]
    assert one["hindsight"]["bias"] == pytest.approx(1.5, abs=0.25)
    assert marked.end == asked.fit.end
    assert explain_twins(replace(asked, fit=marked), lambda *_: None).fit is None
    mended = explain_twins(replace(job(lived()), fit=marked), lambda *_: None).fit
    assert mended is not None
    assert "hindsight" not in mended.document["twins"]["h1"]
    plant = explain_twins(replace(job(lived(change=1.3)), fit=marked), lambda *_: None).fit
    assert plant is not None
    assert plant.document["twins"]["h1"]["hindsight"]["verdict"] == CHANGED
    anew = replace(asked, fit=marked, parameters=completed(KIND.runs[0].parameters, {}))
    with pytest.raises(InvalidInput, match="its sensor is off by 1") as found:
        calibrate_twins(anew, lambda *_: None)
    assert "mend the sensor" in found.value.hint


def test_the_live_part_goes_on_with_the_parameters_as_calibrated_where_a_sensor_is_marked() -> None:
    asked = job(lived(bias=1.5))
    order = np.argsort(np.concatenate([c.time for c in asked.columns]), kind="stable")
    slot = np.repeat(np.arange(5), [len(c.time) for c in asked.columns])[order].astype(np.int32)
    value = np.concatenate([c.value for c in asked.columns])[order]
    time = np.concatenate([c.time for c in asked.columns])[order]
    cut = len(time) - 5 * DAY * 5
    live = BehaviourFollower(Setup(asked.instance, asked.fit, 1))
    raised = live.update(Readings(slot[:cut], time[:cut], value[:cut])).notices
    before = live.status()["following"]["h1"]
    assert not before["sensorOff"]
    assert before["parameters"]["outer"][1] < 0.95 * USUAL["outer"]
    assert [one.title for one in raised][-1:] == ["no longer as calibrated"]
    marked = explain_twins(asked, lambda *_: None).fit
    after = BehaviourFollower(Setup(asked.instance, marked, 2))
    after.restore(live.snapshot())
    found = after.update(Readings(slot[cut:], time[cut:], value[cut:]))
    now = after.status()["following"]["h1"]
    assert now["sensorOff"]
    assert now["parameters"]["outer"][1] == pytest.approx(USUAL["outer"], rel=0.06)
    bias = found.outputs.value[found.outputs.output == 3]
    assert np.median(bias) == pytest.approx(1.5, abs=0.3)
    (alarm,) = found.notices
    assert alarm.title.startswith("indoor is off by 1")
    again = BehaviourFollower(Setup(asked.instance, asked.fit, 3))
    again.restore(after.snapshot())
    assert not again.status()["following"]["h1"]["sensorOff"]


def test_of_many_twins_each_day_takes_the_next_ones() -> None:
    twins = tuple(f"h{i}" for i in range(5))
    instance = replace(
        job(lived()).instance, twins=twins, signals=tuple(Signal(t, "indoor") for t in twins)
    )
    given = {"span": 86_400.0, "most": 2}
    days = [need_of_some(given, instance, None, day * 86_400 * SECOND) for day in range(5)]
    assert [sorted(s.twin for s in one.signals) for one in days[:3]] == [
        ["h0", "h1"], ["h2", "h3"], ["h0", "h4"]
    ]  # fmt: skip
    assert {s.twin for one in days for s in one.signals} == set(twins)


def test_twins_of_one_length_are_judged_together_as_alone() -> None:
    both = [lived(bias=1.5), lived(change=1.3)]
    found = explain_alike(MODEL, both, [USUAL, USUAL], ["outer"], 0.1)
    for one, data in zip(found, both, strict=True):
        alone = judged(data)
        assert one.verdict == alone.verdict
        assert one.evidence == pytest.approx(alone.evidence)


def test_what_nothing_was_read_of_since_the_calibration_is_named_with_a_way_out() -> None:
    asked = job(lived())
    assert asked.fit is not None
    late = replace(asked, fit=replace(asked.fit, end=asked.end))
    with pytest.raises(InvalidInput, match="no reading in this span: outdoor") as found:
        explain_twins(late, lambda *_: None)
    assert "once readings have come" in found.value.hint
