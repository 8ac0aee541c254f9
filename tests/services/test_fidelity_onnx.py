"""ONNX models, made here, as levels of the fidelity advisor: a fan that has to meet a demand."""

from __future__ import annotations

import hashlib
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

onnx = pytest.importorskip("onnx", reason="needs onnx (scripts/setup dev)")
HOUR = 3600
DEMAND = np.array([1.0, 2.0, 3.0, 4.0, 2.0, 3.0, 1.0, 4.0, 2.0, 2.0])
"""One for each window of an hour."""
SPEEDS = [1.0, 2.0, 3.0, 4.0, 5.0]
LACK = 1000.0
"""The price of a unit of demand that is not met; above what any speed saves."""


def model(nodes: list[Any], inputs: dict[str, int], outputs: dict[str, int], **held: Any) -> bytes:
    """An ONNX file: tensors of rows with so many columns."""
    make, real = onnx.helper, onnx.TensorProto.FLOAT
    tensors = [
        [make.make_tensor_value_info(name, real, [None, width]) for name, width in given.items()]
        for given in (inputs, outputs)
    ]
    numbers = [onnx.numpy_helper.from_array(np.float32(v), name) for name, v in held.items()]
    graph = make.make_graph(nodes, "fan", *tensors, numbers)
    versions = [make.make_opsetid("", 13)]
    found: bytes = make.make_model(graph, opset_imports=versions, ir_version=8).SerializeToString()
    return found


def bent() -> bytes:
    """Power is the cube of the speed: the truth."""
    node = onnx.helper.make_node
    return model(
        [
            node("Mul", ["speed", "speed"], ["square"]),
            node("Mul", ["square", "speed"], ["power"]),
            node("Sub", ["speed", "demand"], ["spare"]),
        ],
        {"speed": 1, "demand": 1},
        {"power": 1, "spare": 1},
    )


def straight(seen: float) -> bytes:
    """Power is the speed, and so much of the demand is seen: one product of matrices."""
    node = onnx.helper.make_node("MatMul", ["X", "W"], ["said"])
    return model([node], {"X": 2}, {"said": 2}, W=[[1.0, 1.0], [0.0, -seen]])


WIDE = {
    "inputs": {"speed": "X_1", "demand": "X_2"},
    "outputs": {"power": "said_1", "spare": "said_2"},
}
LEVELS = [
    {"name": "blind", "behaviour": "blind", **WIDE},
    {"name": "straight", "behaviour": "straight", **WIDE},
    {
        "name": "bent",
        "behaviour": "bent",
        "inputs": {"speed": "speed", "demand": "demand"},
        "outputs": {"power": "power", "spare": "spare"},
    },
]
SETTINGS = {"levels": LEVELS, "inputs": {"demand": "wanted"}, "step": 900}
ASKED = {
    "chosen": "speed",
    "candidates": SPEEDS,
    "cost": {"power": 1},
    "limits": {"spare": {"low": 0, "price": LACK}},
    "window": HOUR,
}


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Three files as an import keeps them."""
    folder, found = tmp_path_factory.mktemp("onnx"), {}
    for name, data in (("blind", straight(0.0)), ("straight", straight(1.0)), ("bent", bent())):
        file = folder / f"{name}.onnx"
        file.write_bytes(data)
        with opened(name, data) as one:
            kept = {"file": str(file), "mode": "", "memoryMb": 1024, "patience": 10.0}
            kept["sha256"] = hashlib.sha256(data).hexdigest()
            found[name] = one.description | kept
    return found


def test_onnx_models_are_levels_judged_by_what_their_choices_cost(
    imported: dict[str, Any],
) -> None:
    parameters = completed(KIND.parameters, SETTINGS)
    check(parameters, imported)
    assert foreign(parameters) == ("bent", "blind", "straight")
    times = np.arange(0, len(DEMAND) * HOUR, 900)
    wanted = Column(times * SECOND, DEMAND[times // HOUR])
    run = KIND.run("compare")
    assert run is not None
    instance = Instance("free", "fidelity", ("fan",), parameters, foreign=imported)
    job = Job(
        instance,
        completed(run.parameters, ASKED),
        signals=(Signal("fan", "wanted"),),
        columns=(wanted,),
        begin=0,
        end=len(DEMAND) * HOUR * SECOND,
    )
    found = compare(job, lambda *_: None).document
    by_name = {one["name"]: one for one in found["levels"]}
    truth = np.mean(DEMAND**3)
    blind = np.mean(1 + LACK * (DEMAND - 1))
    assert by_name["bent"]["cost"] == pytest.approx(truth)
    assert by_name["straight"]["cost"] == pytest.approx(truth)
    assert by_name["blind"]["cost"] == pytest.approx(blind)
    assert by_name["blind"]["regret"] == pytest.approx(blind / truth - 1)
    assert (found["level"], found["reference"]) == ("straight", "bent")
    assert (found["isSure"], found["scenarios"]) == (True, len(DEMAND))
    assert [one["mostChosen"] for one in found["levels"]] == [1.0, 2.0, 2.0]
    assert all(one["secondsADecision"] > 0 for one in found["levels"])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"values": {"power": 2.0}}, "power"),
        ({"inputs": {"speed": "X_3"}}, "X_3"),
        ({"outputs": {"power": "said"}}, "said"),
    ],
)
def test_what_an_onnx_level_does_not_have_is_refused_by_name(
    imported: dict[str, Any], wrong: dict[str, Any], says: str
) -> None:
    levels = [{**LEVELS[0], **wrong}, LEVELS[2]]
    with pytest.raises(InvalidInput, match=says):
        check(completed(KIND.parameters, {**SETTINGS, "levels": levels}), imported)
