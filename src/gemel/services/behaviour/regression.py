"""A sum of inputs times coefficients: the simplest model that can be fitted to anything."""

from __future__ import annotations

from collections.abc import Sequence

from gemel.core.batch import F64
from gemel.core.errors import InvalidInput
from gemel.services.behaviour.model import Behaviour, Quantity, Step


def regression(inputs: Sequence[str]) -> Behaviour:
    """Output = intercept + sum of coefficient times input.

    Raises:
        InvalidInput: there are no inputs, or one twice.
    """
    if not inputs or len(set(inputs)) != len(inputs):
        raise InvalidInput("a regression needs inputs, each once", hint="name them in 'inputs'")
    return Behaviour(
        "regression",
        "Regression",
        "a weighted sum of its inputs",
        1,
        (
            Quantity("intercept", "", "at inputs of 0", 0.0, -1e12, 1e12),
            *(
                Quantity(f"by:{name}", "", f"for one of {name}", 0.0, -1e12, 1e12)
                for name in inputs
            ),
        ),
        tuple(Quantity(name, "", "an input") for name in inputs),
        (),
        (Quantity("value", "", "the sum"),),
        _sum,
    )


def _sum(values: F64, _: float) -> Step:
    def step(state: F64, inputs: F64) -> tuple[F64, F64]:
        return state, (values[0] + (values[1:] * inputs).sum(axis=0))[None]

    return step
