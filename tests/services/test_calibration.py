"""Parameters are found where data tell them, doubted where not, followed, and kept from bias."""

from __future__ import annotations

import numpy as np
import pytest

from gemel.core.errors import Damaged, InvalidInput, NotFound
from gemel.services.behaviour import behaviour_of, simulate
from gemel.services.calibration.ensemble import Ensemble, Noise
from gemel.services.calibration.kind import KIND
from gemel.services.calibration.live import BehaviourFollower
from gemel.services.calibration.offline import Data, calibrate
from gemel.services.calibration.runs import calibrate_twins, need
from gemel.services.calibration.watch import Watch
from gemel.services.contract import Column, Instance, Job, Readings, Setup, Signal
from gemel.services.schema import completed

SECOND = 1_000_000_000
STEP = 900.0
TRUE = {"inner": 900.0, "outer": 220.0, "air": 2.5e6, "wallCapacity": 2.5e7}


def house(days: int, seed: int = 1, noise: float = 0.05, change: float = 1.0) -> Data:
    """Some days of a 2R2C house, heated at random."""
    random = np.random.default_rng(seed)
    steps = days * 96
    hours = np.arange(steps) / 4
    inputs = {
        "outdoor": 5 - 4 * np.cos(2 * np.pi * (hours - 4) / 24),
        "heat": random.uniform(0, 6000, -(-steps // 8)).repeat(8)[:steps],
        "solar": np.maximum(0, 300 * np.sin(2 * np.pi * (hours - 8) / 24)),
        "gains": np.full(steps, 200.0),
    }
    values = {**TRUE, "outer": TRUE["outer"] * change}
    found = simulate(
        behaviour_of("rc2"), inputs, STEP, values, {"temperature": 20.0, "wall": 17.0}
    ).output("temperature")[:, 0]
    return Data(inputs, found + random.normal(0, noise, steps), STEP, "temperature")


def test_parameters_that_made_the_data_are_found() -> None:
    found = calibrate(behaviour_of("rc2"), house(10), starts=3)
    for name, value in TRUE.items():
        one = next(r for r in found.report() if r["name"] == name)
        assert one["identifiable"]
        assert one["value"] == pytest.approx(value, rel=0.03)
        assert abs(one["value"] - value) < 4 * one["deviation"]
    assert found.holdout_rmse < 0.07
    assert 0.8 <= found.holdout_coverage <= 1.0
    assert found.noise == pytest.approx(0.05, rel=0.1)


def test_what_the_data_do_not_show_is_not_told() -> None:
    data = house(6)
    dark = Data({**data.inputs, "solar": np.zeros(len(data))}, data.observed, STEP, "temperature")
    report = {r["name"]: r for r in calibrate(behaviour_of("rc2"), dark, starts=2).report()}
    assert not report["aperture"]["identifiable"]
    assert not report["wallAperture"]["identifiable"]


def test_gaps_in_what_was_seen_are_left_out() -> None:
    data = house(8)
    observed = data.observed.copy()
    observed[100:200] = np.nan
    found = calibrate(
        behaviour_of("rc2"), Data(data.inputs, observed, STEP, "temperature"), starts=2
    )
    assert found.parameters["outer"] == pytest.approx(TRUE["outer"], rel=0.05)


def test_members_are_as_wide_as_the_report_says() -> None:
    found = calibrate(behaviour_of("rc2"), house(8), starts=2)
    values = found.space.values(found.members(4000))
    for k, one in enumerate(found.report()[:4]):
        assert values[k].std() == pytest.approx(one["deviation"], rel=0.1)


def test_too_little_data_is_said_so() -> None:
    with pytest.raises(InvalidInput, match="too few for 8 unknowns"):
        calibrate(behaviour_of("rc2"), house(10).part(0, 30))


def test_a_linear_ensemble_is_a_kalman_filter() -> None:
    """One state, no parameters: mean and variance against the exact filter."""
    model = behaviour_of("first-order")
    noise = Noise(reading=0.5, state=2.0, walk=0.0)
    ensemble = Ensemble(model, "value", 60.0, [], [1], 4000, noise)
    rows = np.array([0])
    ensemble.begin(rows, {}, {"value": 1.0}, {"value": 0.7})
    mean, variance, kept = 1.0, 0.49, np.exp(-1.0)
    random = np.random.default_rng(5)
    for _ in range(30):
        target, reading = random.normal(0, 3, 2)
        told = ensemble.step(rows, np.array([[target]]), np.array([reading]))
        variance = (variance + noise.state**2 * 60 / 86_400) * kept**2
        mean = target + (mean - target) * kept
        assert told.mean[0] == pytest.approx(mean, abs=0.02)
        gain = variance / (variance + noise.reading**2)
        mean, variance = mean + gain * (reading - mean), (1 - gain) * variance
        assert ensemble.state[0, 0].mean() == pytest.approx(mean, abs=0.02)
        assert ensemble.state[0, 0].var() == pytest.approx(variance, rel=0.1, abs=1e-4)


def watched(change: float = 1.0, bias: float = 0.0) -> Watch:
    """Three days as calibrated, then five with another heat loss or a sensor that is off."""
    before, after = house(3, 2, 0.05), house(5, 3, 0.0, change)
    watch = Watch(
        behaviour_of("rc2"), "temperature", STEP, ["outer"], [7], 40, Noise(0.1, 0.15, 0.05)
    )
    rows = np.array([0])
    watch.begin(rows, TRUE, {"temperature": 20.0, "wall": 17.0}, {"outer": 0.02})
    random = np.random.default_rng(9)
    first = np.stack(list(before.inputs.values()), axis=1)
    for inputs, reading in zip(first, before.observed, strict=True):
        watch.step(rows, inputs[:, None], np.array([reading]))
    state = np.array([e.mean() for e in watch.plain.state[:, 0]])
    second = np.stack(list(after.inputs.values()), axis=1)
    columns = {n: second[:, k] for k, n in enumerate(after.inputs)}
    true = simulate(
        behaviour_of("rc2"), columns, STEP, {**TRUE, "outer": TRUE["outer"] * change},
        {"temperature": state[0], "wall": state[1]},
    ).output("temperature")[:, 0]  # fmt: skip
    for inputs, value in zip(second, true, strict=True):
        reading = np.array([value + bias + random.normal(0, 0.1)])
        watch.step(rows, inputs[:, None], reading)
    return watch


def test_a_changed_heat_loss_is_followed_and_told() -> None:
    watch = watched(change=1.3)
    rows = np.array([0])
    assert watch.changed[0]
    assert not watch.biased[0]
    assert watch.followed(rows)[0].mean() == pytest.approx(1.3 * TRUE["outer"], rel=0.06)
    low, high = np.quantile(watch.followed(rows)[0], [0.05, 0.95])
    assert low < 1.3 * TRUE["outer"] < high


def test_parameters_that_move_are_less_sure_than_their_members_and_forecasts_with_them() -> None:
    rows = np.array([0])
    moved, still = watched(change=1.3), watched()
    widths = []
    for watch in (moved, still):
        wide, members = (watch.plain.parameters(rows, is_wide=w)[1, 0] for w in (True, False))
        assert wide.mean() == pytest.approx(members.mean(), rel=0.01)
        widths.append(wide.std() / members.std())
    assert widths[0] > 1.5
    assert widths[1] < 1.25
    inputs = np.repeat(np.array([0.0, 4000.0, 0.0, 200.0])[None, :, None], 96, axis=0)
    ahead = moved.forecast(rows, inputs)[-1, 0].std()
    moved.plain.pace[:], moved.plain.base[1] = (
        0.0,
        moved.plain.base[1] * np.exp(moved.plain.log[0].mean()),
    )
    moved.plain.log[0] -= moved.plain.log[0].mean()
    assert ahead > 1.3 * moved.forecast(rows, inputs)[-1, 0].std()


def test_a_sensor_that_is_off_is_flagged_and_not_absorbed() -> None:
    watch = watched(bias=1.5)
    rows = np.array([0])
    assert watch.biased[0]
    assert not watch.changed[0]
    assert watch.bias(rows)[0] == pytest.approx(1.5, abs=0.5)
    assert watch.followed(rows)[0].mean() == pytest.approx(TRUE["outer"], rel=0.04)


def test_nothing_is_told_where_nothing_happens() -> None:
    watch = watched()
    assert not watch.biased[0]
    assert not watch.changed[0]


# ---- the service ---------------------------------------------------------------------------------

GIVEN = {
    "behaviour": "rc2",
    "inputs": {"outdoor": "out", "heat": "heat", "solar": "sun", "gains": 200},
    "observed": "indoor",
    "follow": ["outer"],
}


def setup(twins: tuple[str, ...] = ("h1",), **more: object) -> Setup:
    parameters = completed(KIND.parameters, {**GIVEN, **more})
    signals = tuple(Signal(t, p) for t in twins for p in ("out", "heat", "sun", "indoor"))
    return Setup(Instance("houses", "behaviour", twins, parameters, signals))


def told_to(data: Data, first: int = 1_000_000) -> list[Column]:
    """What devices would have sent: inputs at the begin of steps, the temperature near the end."""
    begin = (first + np.arange(len(data))) * round(STEP * SECOND)
    found = [Column(begin, data.inputs[n]) for n in ("outdoor", "heat", "solar")]
    return [*found, Column(begin + round(890 * SECOND), data.observed)]


def readings_of(columns: list[Column]) -> Readings:
    time = np.concatenate([c.time for c in columns])
    slot = np.repeat(np.arange(len(columns)), [len(c.time) for c in columns])
    order = np.argsort(time, kind="stable")
    value = np.concatenate([c.value for c in columns])
    return Readings(slot[order].astype(np.int32), time[order], value[order])


def test_the_live_part_expects_what_comes() -> None:
    live = BehaviourFollower(setup(values=TRUE, readingNoise=0.05, stateNoise=0.05))
    found = live.update(readings_of(told_to(house(4)))).outputs
    expected = found.output == 0
    late = found.time > found.time.min() + 86_400 * SECOND
    residual = found.value[(found.output == 1) & late]
    assert expected.sum() == 4 * 96 - 2
    assert np.abs(residual).mean() < 1.2
    assert (found.low[expected] < found.value[expected]).all()
    assert np.isnan(found.low[~expected]).all()
    status = live.status()
    assert status["following"]["h1"]["sensorOff"] is False


def test_a_gap_is_simulated_and_a_long_one_begins_anew() -> None:
    columns = told_to(house(12))
    short = BehaviourFollower(setup(values=TRUE))
    gap = [Column(c.time[np.r_[0:96, 150:300]], c.value[np.r_[0:96, 150:300]]) for c in columns]
    found = short.update(readings_of(gap)).outputs
    assert (found.output == 0).sum() == 298
    assert (found.output == 1).sum() == 298 - 54
    long = BehaviourFollower(setup(values=TRUE))
    gap = [Column(c.time[np.r_[0:96, 900:960]], c.value[np.r_[0:96, 900:960]]) for c in columns]
    found = long.update(readings_of(gap)).outputs
    assert (found.output == 0).sum() == 94 + 58


def test_a_twin_without_its_signals_is_named_and_disturbs_nobody() -> None:
    made = setup(("h1", "h2"), values=TRUE)
    signals = tuple(s for s in made.signals if (s.twin, s.path) != ("h2", "sun"))
    whole = Setup(Instance("houses", "behaviour", ("h1", "h2"), made.parameters, signals))
    live = BehaviourFollower(whole)
    found = live.update(readings_of(told_to(house(2)))).outputs
    assert set(found.twin.tolist()) == {0}
    assert live.status()["twinsWithoutSignals"] == ["h2"]


def test_a_run_calibrates_passes_its_gate_once_and_the_live_part_takes_it() -> None:
    data, made = house(14), setup()
    columns = told_to(data)
    begin, end = int(columns[0].time[0]), int(columns[3].time[-1]) + 1
    parameters = completed(KIND.runs[0].parameters, {"starts": 2})
    instance = Instance(
        "houses", "behaviour", ("h1",), {**made.parameters, **parameters}, made.signals
    )
    job = Job(instance, parameters, made.signals, columns, begin, end)
    shares: list[float] = []
    first = calibrate_twins(job, lambda share, what: shares.append(share))
    fit = first.fit
    assert fit is not None
    assert fit.adopt
    assert shares == sorted(shares)
    one = first.document["twins"]["h1"]
    assert one["parameters"]["outer"] == pytest.approx(TRUE["outer"], rel=0.05)
    assert one["holdoutRmse"] < one["holdoutRmseInUse"]
    live = BehaviourFollower(Setup(made.instance, fit))
    live.update(readings_of(columns))
    assert live.watch.plain.base[1, 0] == pytest.approx(one["parameters"]["outer"])
    strict = Job(instance, {**parameters, "most": 1e-6}, made.signals, columns, begin, end, fit=fit)
    second = calibrate_twins(strict, lambda share, what: None)
    assert second.fit is not None
    assert not second.fit.adopt
    assert second.fit.document["twins"]["h1"]["parameters"] == one["parameters"]


def test_what_cannot_be_is_named() -> None:
    for wrong, error, said in (
        ({"behaviour": "rc2", "inputs": {"outdor": "out"}}, InvalidInput, "no 'outdor'"),
        ({"follow": ["aperture"]}, InvalidInput, "may be 0"),
        ({"inputs": {"outdoor": True}}, InvalidInput, "must be a number or a path"),
        ({"output": "humidity"}, InvalidInput, "no 'humidity'"),
    ):
        with pytest.raises(error, match=said):
            BehaviourFollower(setup(**wrong))  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        behaviour_of("nothing")
    with pytest.raises(Damaged):
        BehaviourFollower(setup()).restore(b"no")
    job = Job(setup().instance, completed(KIND.runs[0].parameters, {}), setup().signals,
              [Column(np.empty(0, np.int64), np.empty(0))] * 4)  # fmt: skip
    with pytest.raises(
        InvalidInput, match="no reading in this span: outdoor, heat, solar, what is observed"
    ):
        calibrate_twins(job, lambda share, what: None)
    assert need({"span": 100.0}, setup().instance, None, 200 * SECOND).begin == 100 * SECOND  # type: ignore[arg-type]
