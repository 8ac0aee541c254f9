"""The laws that every kind of service keeps; kinds are found by themselves."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest

from gemel.core.errors import Damaged
from gemel.core.series import check_provenance
from gemel.services.contract import Found, Instance, Kind, Live, Readings, Setup, Signal
from gemel.services.registry import kinds, load_function
from gemel.services.schema import completed, problems

SECOND = 1_000_000_000
HEAVY = (
    "scipy",
    "sklearn",
    "lightgbm",
    "onnxruntime",
    "fmpy",
    "simpy",
    "casadi",
    "river",
    "pandas",
)
KINDS = kinds()
LIVE = {name: kind for name, kind in KINDS.items() if kind.make is not None}
each = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
each_live = pytest.mark.parametrize("kind", LIVE.values(), ids=LIVE)


def setup(kind: Kind, twins: tuple[str, ...] = ("a", "b", "c")) -> Setup:
    parameters = completed(kind.parameters, kind.example)
    signals = tuple(s for t in twins for p in "xyz" if kind.reads(s := Signal(t, p), parameters))
    return Setup(Instance("tried", kind.name, twins, parameters, signals))


def made(kind: Kind, twins: tuple[str, ...] = ("a", "b", "c")) -> Live:
    assert kind.make is not None
    return kind.make(setup(kind, twins))


def some_readings(signals: int, samples: int = 400, first: int = 0) -> Readings:
    """Noise, with a shift of every second signal in the last quarter; some come twice or late."""
    random = np.random.default_rng(7)
    time = np.repeat(np.arange(samples), signals) * SECOND + 1_700_000_000 * SECOND
    slot = np.tile(np.arange(signals), samples).astype(np.int32)
    value = random.normal(10.0, 1.0, len(time))
    value += 40.0 * ((slot % 2 == 0) & (np.repeat(np.arange(samples), signals) > 0.75 * samples))
    late = random.random(len(time)) < 0.02
    time = time - late * 3 * SECOND
    keep = slice(first, None)
    return Readings(slot[keep], time[keep].astype(np.int64), value[keep])


def cut(readings: Readings, places: list[int]) -> list[Readings]:
    edges = [0, *places, len(readings)]
    return [
        Readings(readings.slot[a:b], readings.time[a:b], readings.value[a:b])
        for a, b in itertools.pairwise(edges)
    ]


def rounded(value: float) -> str:
    return f"{value:.9g}"


def told(founds: list[Found]) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """All outputs and notices in an order of their own."""
    rows = [
        (int(t), int(o), int(when), rounded(v))
        for f in founds
        for t, o, when, v in zip(
            f.outputs.twin, f.outputs.output, f.outputs.time, f.outputs.value, strict=True
        )
    ]
    notices = [
        (n.time, n.twin, n.kind, rounded(n.value), n.title) for f in founds for n in f.notices
    ]
    return sorted(rows), sorted(notices)


@each
def test_a_form_can_be_made_of_its_parameters(kind: Kind) -> None:
    assert problems(kind.parameters) == []
    assert completed(kind.parameters, kind.example)
    for run in kind.runs:
        assert problems(run.parameters) == []
        completed(
            run.parameters,
            {n: kind.example[n] for n in kind.example if n in run.parameters.get("required", ())},
        )


@each
def test_it_says_what_it_is(kind: Kind) -> None:
    assert kind.title
    assert kind.about
    assert 0 <= kind.fidelity <= 4
    assert kind.make is not None or kind.runs
    assert len({run.name for run in kind.runs}) == len(kind.runs)
    for output in kind.outputs:
        check_provenance(output.provenance)
        assert output.provenance != "measured"


@each
def test_a_run_names_no_parameter_as_its_instance_does(kind: Kind) -> None:
    """It would take that one's place: by its default, silently."""
    for run in kind.runs:
        same = kind.parameters["properties"].keys() & run.parameters["properties"].keys()
        assert not same, f"{kind.name}.{run.name}"


@each
def test_its_runs_name_functions_that_are_there_and_bounds(kind: Kind) -> None:
    for run in kind.runs:
        assert callable(load_function(run.function))
        assert 16 <= run.memory_mb <= 65_536
        assert 1 <= run.seconds <= 86_400


def test_finding_kinds_loads_no_heavy_library() -> None:
    code = f"""
import sys
from gemel.services.registry import kinds
assert kinds()
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@each_live
def test_how_readings_are_cut_changes_nothing(kind: Kind) -> None:
    readings = some_readings(len(setup(kind).signals))
    whole = told([made(kind).update(readings)])
    random = np.random.default_rng(1)
    for count in (1, 30):
        places = sorted(random.integers(0, len(readings), count).tolist())
        live = made(kind)
        assert told([live.update(part) for part in cut(readings, places)]) == whole


@each_live
def test_a_restart_is_no_restart(kind: Kind) -> None:
    readings = some_readings(len(setup(kind).signals))
    first, second = cut(readings, [len(readings) * 4 // 5])
    going_on, begun = made(kind), made(kind)
    going_on.update(first)
    begun.restore(going_on.snapshot())
    assert told([begun.update(second)]) == told([going_on.update(second)])
    assert begun.status() == going_on.status()


@each_live
def test_other_twins_may_come_and_go_over_a_snapshot(kind: Kind) -> None:
    live = made(kind)
    live.update(some_readings(len(setup(kind).signals), 50))
    other = made(kind, ("b", "c", "d", "e"))
    other.restore(live.snapshot())
    other.update(some_readings(len(setup(kind, ("b", "c", "d", "e")).signals), 50))


@each_live
def test_what_is_no_snapshot_is_damaged(kind: Kind) -> None:
    with pytest.raises(Damaged):
        made(kind).restore(b"something else")


@each_live
def test_no_readings_give_nothing(kind: Kind) -> None:
    found = made(kind).update(some_readings(0, 0))
    assert len(found.outputs) == 0
    assert found.notices == ()


@each_live
def test_outputs_are_its_own_and_notices_alternate(kind: Kind) -> None:
    its = setup(kind)
    found = made(kind).update(some_readings(len(its.signals)))
    out = found.outputs
    columns = (out.twin, out.output, out.time, out.value)
    assert len({len(column) for column in columns}) == 1
    assert ((out.twin >= 0) & (out.twin < len(its.twins))).all()
    assert ((out.output >= 0) & (out.output < len(kind.outputs))).all()
    last: dict[str, tuple[str, int]] = {}
    for notice in found.notices:
        kind_before, time_before = last.get(notice.twin, ("clear", -1))
        assert notice.kind == ("raise" if kind_before == "clear" else "clear")
        assert notice.time > time_before
        last[notice.twin] = (notice.kind, notice.time)


@each_live
def test_it_says_how_it_fares(kind: Kind) -> None:
    live = made(kind)
    assert isinstance(live.status(), dict)
    live.update(some_readings(len(setup(kind).signals)))
    assert isinstance(live.status(), dict)
    condition = live.condition()
    assert condition is None or condition.output in {o.name for o in kind.outputs}
