"""What an ONNX model says of its tensors becomes the quantities of a behaviour, or is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gemel.core.errors import InvalidInput
from gemel.services.behaviour.pointwise import pointwise_from, tensors_of


def tensor(name: str, *shape: int | None, kind: str = "tensor(float)") -> dict[str, Any]:
    return {"name": name, "shape": list(shape), "type": kind, "about": f"{kind} {list(shape)}"}


def described(inputs: list[Any], outputs: list[Any]) -> dict[str, Any]:
    return {"title": "", "about": "", "tool": "", "inputs": inputs, "outputs": outputs}


def test_columns_of_a_wide_tensor_are_quantities_and_one_column_has_its_name() -> None:
    given = described(
        [tensor("X", None, 2), tensor("age", None, 1), tensor("flat", None)],
        [tensor("label", None, kind="tensor(string)"), tensor("probabilities", None, 2)],
    )
    one = pointwise_from("tried", given)
    assert [q.name for q in one.inputs] == ["X_1", "X_2", "age", "flat"]
    assert [q.name for q in one.outputs] == ["probabilities_1", "probabilities_2"]
    wide, narrow, flat = tensors_of("tried", given)[0]
    values = np.arange(6.0).reshape(2, 3)
    assert wide.rows(values).tolist() == values.T.tolist()
    assert narrow.rows(values[:1]).shape == (3, 1)
    assert flat.rows(values[:1]).shape == (3,)
    with pytest.raises(InvalidInput, match="'tried' is not open here"):
        one.prepare(np.empty((0, 1)), 60.0)


@pytest.mark.parametrize(
    "one", [tensor("X", None, 5, 2), tensor("X", None, None), tensor("X", None, 1, kind="map")]
)
def test_inputs_that_a_scenario_cannot_give_are_refused(one: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="input 'X'") as caught:
        pointwise_from("tried", described([one], [tensor("y", None, 1)]))
    assert "'learnt'" in caught.value.hint


def test_a_model_without_numbers_to_say_is_refused() -> None:
    words = tensor("label", None, kind="tensor(string)")
    with pytest.raises(InvalidInput, match="no output that is rows of numbers"):
        pointwise_from("tried", described([tensor("X", None, 1)], [words]))
