"""Which shapes fit, and what is said where one does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gemel.core.errors import InvalidInput
from gemel.services.learnt.binding import features_of, numbers, tensors


def description(*shapes: list[int | None], outputs: tuple[str, ...] = ("y",)) -> dict[str, Any]:
    names = ["x"] if len(shapes) == 1 else [f"x{i}" for i in range(len(shapes))]
    return {
        "inputs": [{"name": n, "shape": s} for n, s in zip(names, shapes, strict=True)],
        "outputs": [{"name": n} for n in outputs],
    }


def parameters(*inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"inputs": list(inputs), "every": 60, "output": "", "column": 0, **more}


TWO = ({"path": "flow"}, {"path": "power", "how": "mean", "window": 600})


def test_features_become_columns_in_their_order() -> None:
    given = description([None, 2])
    found = features_of(parameters(*TWO), "m", given)
    rows = tensors("m", given, found, [np.array([[1.0], [2.0]]), np.array([[3.0], [4.0]])])
    assert rows["x"].tolist() == [[1.0, 3.0], [2.0, 4.0]]


@pytest.mark.parametrize(("shape", "wanted"), [([None, 3, 2], (3, 2)), ([None, 2, 3], (2, 3))])
def test_samples_become_sequences_either_way_round(
    shape: list[int | None], wanted: tuple[int, int]
) -> None:
    given = description(shape)
    both = [{"path": p, "how": "samples", "window": 3, "samples": 3} for p in ("a", "b")]
    found = features_of(parameters(*both), "m", given)
    a, b = np.array([[1.0, 2.0, 3.0]]), np.array([[4.0, 5.0, 6.0]])
    rows = tensors("m", given, found, [a, b])["x"]
    assert rows.shape == (1, *wanted)
    at = rows[0] if wanted == (3, 2) else rows[0].T
    assert at.tolist() == [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]


def test_several_inputs_of_one_number_each() -> None:
    given = description([None, 1], [None, 1])
    one = {"path": "a", "input": "x0"}
    found = features_of(parameters(one, {"path": "b", "input": "x1"}), "m", given)
    rows = tensors("m", given, found, [np.ones((2, 1)), np.zeros((2, 1))])
    assert rows["x0"].tolist() == [[1.0], [1.0]]
    assert rows["x1"].tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize(
    ("inputs", "shape", "message"),
    [
        (TWO, [None, 3], r"input 'x' expects rows of shape \[\?, 3\], got 2 numbers: flow last, "),
        (TWO[:1], [None, 2, 2], r"expects rows of shape \[\?, 2, 2\], got 1 number: flow last"),
        (({"path": "a", "how": "median"},), [None, 1], r"inputs\[0\].how: there is no 'median'"),
        (({"path": "a", "window": 0},), [None, 1], r"inputs\[0\].window must be seconds above 0"),
        (({"path": "a", "samples": 3},), [None, 1], r"inputs\[0\].samples: .* for how: samples"),
        (({"path": "a", "input": "q"},), [None, 1], r"the model has no input 'q'"),
        (({"how": "last"},), [None, 1], r"inputs\[0\] needs a 'path'"),
        (({"path": "a", "wide": 1},), [None, 1], r"inputs\[0\] has no 'wide'"),
    ],
)
def test_what_does_not_fit_names_the_place_what_is_expected_and_what_it_got(
    inputs: Any, shape: list[int | None], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        features_of(parameters(*inputs), "m", description(shape))


def test_an_input_that_nothing_is_bound_to_is_named() -> None:
    one = {"path": "a", "input": "x0"}
    with pytest.raises(InvalidInput, match=r"input 'x1' expects .* got 0 numbers: nothing"):
        features_of(parameters(one), "m", description([None, 1], [None, 1]))


def test_outputs_that_are_not_there_are_named() -> None:
    with pytest.raises(InvalidInput, match="has no output 'z'"):
        features_of(parameters({"path": "a"}, output="z"), "m", description([None, 1]))
    table = {
        "label": np.array(["good", "bad"]),
        "probabilities": np.array([[0.9, 0.1], [0.3, 0.7]]),
    }
    with pytest.raises(InvalidInput, match="holds words") as caught:
        numbers("m", table, "", 0)
    assert "probabilities" in caught.value.hint
    with pytest.raises(InvalidInput, match="has 2 columns, not 3"):
        numbers("m", table, "probabilities", 2)
    assert numbers("m", table, "probabilities", 1).tolist() == [0.1, 0.7]
