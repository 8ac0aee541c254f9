"""The behaviour of a model of others from what it says of itself: to be looked at, not run.

`gemel.services.foreign` runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from gemel.core.batch import F64
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.behaviour.model import Behaviour, Quantity, Step


def behaviour_from(name: str, description: Json) -> Behaviour:
    """Its behaviour from its description alone: it can be looked at, not run."""
    if description["format"] != "fmu":
        raise InvalidInput(
            f"model '{name}' is of the format {description['format']}: it has no behaviour in time",
            hint="the kind of service for it is 'learnt'",
        )
    kind = f"FMU, FMI {description['version']}, {description['mode']}"

    prepare = not_open(name)

    def whole(parameters: F64, start: F64, inputs: F64, seconds: float) -> tuple[F64, F64]:
        del start, inputs
        prepare(parameters, seconds)
        raise AssertionError

    return Behaviour(
        name,
        description["title"] or name,
        description["about"],
        3,
        _quantities(description["parameters"]),
        _quantities(description["inputs"]),
        _quantities(description["states"]),
        _quantities(description["outputs"]),
        prepare,
        description["tool"] or kind,
        whole,
        starts=_quantities(description.get("starts", ())),
    )


def not_open(name: str) -> Callable[[F64, float], Step]:
    """What stands for its steps where it can only be looked at."""

    def prepare(values: F64, seconds: float) -> Step:
        del values, seconds
        raise InvalidInput(
            f"model '{name}' is not open here", hint="foreign models run in runs, in a sandbox"
        )

    return prepare


def _quantities(given: Iterable[Mapping[str, Any]]) -> tuple[Quantity, ...]:
    return tuple(_quantity(one) for one in given)


def _quantity(one: Mapping[str, Any]) -> Quantity:
    low = -np.inf if one["low"] is None else float(one["low"])
    high = np.inf if one["high"] is None else float(one["high"])
    return Quantity(
        one["name"], one["unit"], one["about"], float(one["value"]), low, high, one["isFitted"]
    )
