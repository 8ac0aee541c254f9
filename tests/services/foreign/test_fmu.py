"""Real FMUs of both versions and both modes, made from C here, in their sandbox."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gemel.core.errors import InvalidInput
from gemel.services.behaviour import simulate
from gemel.services.calibration.ensemble import Ensemble, Noise
from gemel.services.foreign import opened
from gemel.services.foreign.confine import ALL
from services.foreign.tank import MODES, needs_fmi, packed, reference, tank

pytestmark = needs_fmi
INFLOW = np.array([0.5] * 10 + [0.0] * 10 + [0.4] * 10)
CRASH, LOOP, PROBE, HUNGER, REFUSAL, EXIT = 1, 2, 3, 4, 5, 6
each = pytest.mark.parametrize(
    ("version", "mode"), [(v, mode) for v in (2, 3) for mode in MODES], ids=str
)


@each
def test_levels_are_those_of_the_exact_solution(version: int, mode: str) -> None:
    with opened("tank", tank(version), mode) as model:
        assert model.description["mode"] == mode
        assert model.description["version"].startswith(str(version))
        found = simulate(model.behaviour, {"inflow": INFLOW}, 1.0, {"leak": [0.1, 0.2]})
    for column, leak in enumerate((0.1, 0.2)):
        exact = reference(INFLOW, 1.0, leak)
        assert np.abs(found.output("level")[:, column] - exact).max() < 5e-4
    assert found.output("open")[:, 0].max() == 1.0  # the event has been seen
    assert {round(x) for x in found.output("open").ravel()} == {0, 1}


@each
def test_it_says_what_it_has(version: int, mode: str) -> None:
    with opened("tank", tank(version), mode) as model:
        one = model.behaviour
        assert [p.name for p in one.parameters] == ["area", "leak", "fault"]
        assert [p.is_fitted for p in one.parameters] == [True, True, False]
        assert (one.parameters[0].low, one.parameters[0].high) == (0.1, 100.0)
        assert [q.name for q in one.inputs] == ["inflow"]
        assert [q.name for q in one.outputs] == ["level", "outflow", "open", "probe"]
        assert one.outputs[0].unit == "m"
        states = [(s.name, s.value) for s in one.states]
        assert states == ([("level", 1.0)] if mode == "model-exchange" else [])
        with pytest.raises(InvalidInput, match="area is 200"):
            simulate(one, {"inflow": INFLOW}, 1.0, {"area": 200.0})


def test_a_state_that_is_given_is_where_it_begins() -> None:
    with opened("tank", tank(2), "model-exchange") as model:
        found = simulate(model.behaviour, {"inflow": [0.0] * 3}, 1.0, {}, {"level": [0.5, 1.0]})
    assert np.allclose(found.state("level")[0], [0.5, 1.0])
    assert np.allclose(found.output("level")[-1], np.exp(-0.3) * np.array([0.5, 1.0]), rtol=1e-4)


def test_model_exchange_is_followed_by_an_ensemble_and_co_simulation_is_refused() -> None:
    given = ("level", 1.0, ["leak"], [1], 10, Noise(0.01, 0.1, 0.02))
    rows, inflow = np.array([0]), np.array([[0.1]])
    with opened("tank", tank(3), "model-exchange") as model:
        ensemble = Ensemble(model.behaviour, *given)
        ensemble.begin(rows, {}, {"level": 1.0})
        told = ensemble.step(rows, inflow, np.array([1.0]))
        assert np.isfinite(told.mean).all()
    with opened("tank", tank(3), "co-simulation") as model:
        ensemble = Ensemble(model.behaviour, *given)
        ensemble.begin(rows, {}, {})
        with pytest.raises(InvalidInput, match="keeps its state to itself") as caught:
            ensemble.step(rows, inflow, np.array([1.0]))
    assert "model exchange" in caught.value.hint


@each
def test_followed_step_by_step_it_goes_as_in_one_course(version: int, mode: str) -> None:
    """Its open valve and its time go on from step to step, for each scenario by itself."""
    leaks = np.array([[1.0, 1.0], [0.1, 0.2], [0.0, 0.0]])
    inflow = INFLOW[:, None, None]
    with opened("tank", tank(version), mode) as model:
        one = model.behaviour
        assert one.follow is not None
        _, whole = one.whole(leaks, np.ones((len(one.states), 2)), inflow, 1.0)  # type: ignore[misc]
        state = np.ones((len(one.states) + len(one.starts), 2))
        step = one.follow(leaks, 1.0)
        found = []
        for now in INFLOW:
            state, outputs = step(state, np.full((1, 2), now))
            found.append(outputs)
        assert np.array(found)[:, 2].max() == 1.0, "the valve has opened"
        assert np.abs(np.array(found)[:, 0] - whole[:, 0]).max() < 1e-4
        assert np.allclose(state, np.array(found)[-1, :1])


@each
def test_followed_it_begins_where_it_is_said_to(version: int, mode: str) -> None:
    with opened("tank", tank(version), mode) as model:
        assert model.behaviour.follow is not None
        step = model.behaviour.follow(np.array([[1.0] * 2, [0.1] * 2, [0.0] * 2]), 1.0)
        _, outputs = step(np.array([[0.5, 1.2]]), np.zeros((1, 2)))
    assert np.allclose(outputs[0], np.exp(-0.1) * np.array([0.5, 1.2]), rtol=1e-3)


def test_a_state_that_was_moved_between_steps_counts_in_model_exchange() -> None:
    with opened("tank", tank(2), "model-exchange") as model:
        assert model.behaviour.follow is not None
        step = model.behaviour.follow(np.array([[1.0], [0.1], [0.0]]), 1.0)
        state, _ = step(np.array([[1.0]]), np.zeros((1, 1)))
        state, _ = step(np.array([[0.5]]), np.zeros((1, 1)))
    assert np.allclose(state, np.exp(-0.1) * 0.5, rtol=1e-4)


def test_one_that_refuses_while_it_is_followed_says_when_and_which() -> None:
    with opened("tank", tank(2), "co-simulation") as model:
        assert model.behaviour.follow is not None
        step = model.behaviour.follow(np.array([[1.0] * 2, [0.1] * 2, [0.0, REFUSAL]]), 1.0)
        state = np.ones((1, 2))
        state, _ = step(state, np.zeros((1, 2)))
        state, _ = step(state, np.zeros((1, 2)))
        with pytest.raises(InvalidInput, match=r"from 2 s on, scenario 2 of 2"):
            step(state, np.zeros((1, 2)))


def test_only_the_newest_course_is_followed() -> None:
    with opened("tank", tank(2), "co-simulation") as model:
        assert model.behaviour.follow is not None
        given = np.array([[1.0], [0.1], [0.0]])
        before, _ = (model.behaviour.follow(given, 1.0) for _ in range(2))
        with pytest.raises(InvalidInput, match="what it was following has ended"):
            before(np.ones((1, 1)), np.zeros((1, 1)))


def test_one_that_may_be_there_only_once_is_followed_alone() -> None:
    files = {
        "modelDescription.xml": _description().replace(
            b"<CoSimulation ", b'<CoSimulation canBeInstantiatedOnlyOncePerProcess="true" '
        ),
        "binaries/linux64/tank.so": _member(tank(2), "binaries/linux64/tank.so"),
    }
    with opened("tank", packed(files)) as model:
        assert model.behaviour.follow is not None
        given = np.array([[1.0] * 2, [0.1] * 2, [0.0] * 2])
        model.behaviour.follow(given[:, :1], 1.0)(np.ones((1, 1)), np.zeros((1, 1)))
        with pytest.raises(InvalidInput, match="allows one instance of itself, and 2 scenarios"):
            model.behaviour.follow(given, 1.0)


# ---- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (CRASH, r"crashed \(SIGSEGV\) in 'step' at [12] s of its time"),
        (LOOP, r"did not come back for 0\.5 s in 'step' at [12] s"),
        (REFUSAL, r"failed with status 3"),
    ],
)
def test_what_it_does_to_itself_is_an_error_that_says_where(fault: int, message: str) -> None:
    mode = "model-exchange" if fault == CRASH else "co-simulation"
    with (
        opened("tank", tank(2), mode, memory_mb=256, patience=0.5) as model,
        pytest.raises(InvalidInput, match="model 'tank'.*" + message),
    ):
        simulate(model.behaviour, {"inflow": INFLOW}, 1.0, {"fault": fault})


@pytest.mark.parametrize(
    ("fault", "message"), [(HUNGER, r"crashed \(SIGABRT\)"), (EXIT, r"ended with code 3")]
)
def test_too_much_memory_and_an_exit_end_it_alone(fault: int, message: str) -> None:
    with (
        opened("tank", tank(3), "co-simulation", memory_mb=128) as model,
        pytest.raises(InvalidInput, match="model 'tank'.*" + message),
    ):
        simulate(model.behaviour, {"inflow": INFLOW}, 1.0, {"fault": fault})


def test_one_scenario_that_fails_does_not_spoil_the_others() -> None:
    with opened("tank", tank(2), "co-simulation") as model:
        faults = {"fault": [0, REFUSAL, 0]}
        found = simulate(model.behaviour, {"inflow": INFLOW}, 1.0, faults).output("level")
    assert np.isnan(found[-1]).tolist() == [False, True, False]
    assert np.array_equal(found[:, 0], found[:, 2])


def test_its_native_code_may_do_nothing_but_compute() -> None:
    with opened("tank", tank(2), "co-simulation") as model:
        if set(model.protections) != set(ALL):
            pytest.skip(f"this machine has only {model.protections}")
        found = simulate(model.behaviour, {"inflow": INFLOW}, 1.0, {"fault": PROBE})
    assert found.output("probe")[-1, 0] == 0
    assert not Path("/tmp/gemel-written-by-a-model").exists()


def test_the_same_code_outside_the_sandbox_does_all_of_it(tmp_path: Path) -> None:
    """So that the probe is known to find what it looks for."""
    file = tmp_path / "tank.fmu"
    file.write_bytes(tank(2))
    code = (
        "import fmpy, json, sys\n"
        "found = fmpy.simulate_fmu(sys.argv[1], fmi_type='CoSimulation', stop_time=4,"
        " output_interval=1, start_values={'fault': 3}, output=['probe'])\n"
        "print(json.dumps(int(found['probe'][-1])))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(file)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    written = Path("/tmp/gemel-written-by-a-model")
    assert written.exists()
    written.unlink()
    assert json.loads(done.stdout.splitlines()[-1]) == 0b111111


# ---- files that are none -------------------------------------------------------------------------


def test_an_fmu_for_another_machine_says_so() -> None:
    files = {"modelDescription.xml": _description(), "binaries/win64/tank.dll": b"MZ"}
    with (
        pytest.raises(InvalidInput, match=r"no binary that loads here \(linux64\)"),
        opened("tank", packed(files)),
    ):
        pass


def test_a_description_that_breaks_the_schema_says_where() -> None:
    bad = _description().replace(b"<ModelVariables>", b"<ModelVariable>", 1)
    with (
        pytest.raises(InvalidInput, match="model 'tank'"),
        opened("tank", packed({"modelDescription.xml": bad})),
    ):
        pass


def test_a_mode_it_has_not_is_refused() -> None:
    with (
        pytest.raises(InvalidInput, match="not for model-exchange, only for co-simulation"),
        opened("tank", tank(2, "co-simulation"), "model-exchange"),
    ):
        pass


def _member(archive: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as found:
        return found.read(name)


def _description() -> bytes:
    from services.foreign.tank import description

    return description(2, ("co-simulation",)).encode()
