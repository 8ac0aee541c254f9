"""The behaviour of an imported ONNX model: what it says of its inputs at the moment, no states.

`gemel.services.foreign` runs it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.behaviour.imported import not_open
from gemel.services.behaviour.model import Behaviour, Quantity

WIDEST = 500
"""Columns of one tensor."""
NUMBERS = "float", "double", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output: rows of so many numbers, a row a scenario."""

    name: str
    columns: tuple[str, ...]
    is_flat: bool
    """One number a row, without a second axis."""

    def rows(self, values: F64) -> F64:
        """Quantities (columns, S) as the model takes them."""
        return values[0] if self.is_flat else np.ascontiguousarray(values.T)


def pointwise_from(name: str, description: Json) -> Behaviour:
    """An ONNX model as a behaviour without parameters and states: to be looked at, not run.

    A tensor `[?, 3]` called `X` is the quantities `X_1` to `X_3`; one of a single column has the
    tensor's name.

    Raises:
        InvalidInput: its inputs are not rows of numbers, or none of its outputs is.
    """
    inputs, outputs = tensors_of(name, description)
    return Behaviour(
        name,
        description["title"] or name,
        description["about"],
        2,
        (),
        tuple(Quantity(c, "", f"of {t.name}") for t in inputs for c in t.columns),
        (),
        tuple(Quantity(c, "", f"of {t.name}") for t in outputs for c in t.columns),
        not_open(name),
        description["tool"] or "ONNX",
    )


def tensors_of(name: str, description: Json) -> tuple[list[Tensor], list[Tensor]]:
    """Its inputs, and those of its outputs that are rows of numbers.

    Raises:
        InvalidInput: as above.
    """
    inputs = []
    for one in description["inputs"]:
        tensor = _tensor(one)
        if tensor is None:
            raise InvalidInput(
                f"model '{name}': input '{one['name']}' is {one['about']}, and a scenario gives "
                "rows of numbers, [?, n]",
                hint="the kind of service for it is 'learnt'",
            )
        inputs.append(tensor)
    outputs = [tensor for one in description["outputs"] if (tensor := _tensor(one)) is not None]
    if not outputs:
        raise InvalidInput(f"model '{name}' has no output that is rows of numbers")
    return inputs, outputs


def _tensor(one: Json) -> Tensor | None:
    shape, name = one["shape"], one["name"]
    if one["type"] not in [f"tensor({number})" for number in NUMBERS] or len(shape) not in (1, 2):
        return None
    if len(shape) == 1:
        return Tensor(name, (name,), True)
    width = shape[1]
    if width is None or not 1 <= width <= WIDEST:
        return None
    names = (name,) if width == 1 else tuple(f"{name}_{i + 1}" for i in range(width))
    return Tensor(name, names, False)
