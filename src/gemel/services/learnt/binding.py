"""Which signals, over which windows, are which numbers of a model's inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.contract import Column
from gemel.services.learnt.windows import WAYS, last, measured, samples

FIELDS = ("path", "how", "window", "samples", "input")
MOST_SAMPLES = 100_000


@dataclass(frozen=True, slots=True)
class Feature:
    """One signal, seen over a window: one number, or `count` samples."""

    path: str
    how: str
    window: float
    count: int
    tensor: str

    def values(self, column: Column, moments: I64) -> F64:
        """(T, count); NaN where it is not known."""
        if self.how == "samples":
            return samples(column, moments, self.window, self.count)
        if self.how == "last":
            return last(column, moments, self.window)[:, None]
        return measured(self.how, column, moments, self.window)[:, None]

    def __str__(self) -> str:
        many = f" x {self.count}" if self.count > 1 else ""
        return f"{self.path} {self.how}{many}"


def features_of(parameters: Json, model: str, description: Json) -> list[Feature]:
    """The features of an instance, held to what the model takes.

    Raises:
        InvalidInput: names the entry or the input, what is expected and what is given.
    """
    found = [
        _feature(f"inputs[{i}]", one, parameters, description)
        for i, one in enumerate(parameters["inputs"])
    ]
    for tensor in description["inputs"]:
        mine = [f for f in found if f.tensor == tensor["name"]]
        laid_out(model, tensor, mine)
    _check_output(model, parameters, description)
    return found


def _feature(place: str, given: Any, parameters: Json, description: Json) -> Feature:
    if not isinstance(given, dict) or not isinstance(given.get("path"), str):
        raise InvalidInput(f"{place} needs a 'path'", hint="has: " + ", ".join(FIELDS))
    for name in given:
        if name not in FIELDS:
            raise InvalidInput(f"{place} has no '{name}'", hint="has: " + ", ".join(FIELDS))
    how = given.get("how", "last")
    if how not in WAYS:
        raise InvalidInput(f"{place}.how: there is no '{how}'", hint="one of: " + ", ".join(WAYS))
    window = given.get("window", 3 * float(parameters["every"]))
    count = given.get("samples", 1)
    if isinstance(window, bool) or not isinstance(window, int | float) or not 0 < window < 1e9:
        raise InvalidInput(f"{place}.window must be seconds above 0")
    is_count = isinstance(count, int) and not isinstance(count, bool)
    if not is_count or not 1 <= count <= MOST_SAMPLES or (count > 1 and how != "samples"):
        raise InvalidInput(f"{place}.samples: a whole number, for how: samples")
    names = [one["name"] for one in description["inputs"]]
    tensor = given.get("input", names[0] if len(names) == 1 else "")
    if tensor not in names:
        raise InvalidInput(
            f"{place}.input: the model has no input '{tensor}'", hint="one of: " + ", ".join(names)
        )
    return Feature(given["path"], how, float(window), count, tensor)


def _check_output(model: str, parameters: Json, description: Json) -> None:
    names = [one["name"] for one in description["outputs"]]
    if parameters["output"] and parameters["output"] not in names:
        raise InvalidInput(
            f"model '{model}' has no output '{parameters['output']}'",
            hint="one of: " + ", ".join(names),
        )


def laid_out(model: str, tensor: Json, features: Sequence[Feature]) -> tuple[int, ...]:
    """The shape of one row of a model's input that is made of these features.

    Raises:
        InvalidInput: it takes something else.
    """
    inner = list(tensor["shape"][1:])
    count = sum(f.count for f in features)
    if not inner and count == 1:
        return ()
    if len(inner) == 1 and inner[0] in (None, count) and count:
        return (count,)
    long = {f.count for f in features}
    if len(inner) == 2 and len(long) == 1:
        for wanted in ((long_one := long.copy().pop(), len(features)), (len(features), long_one)):
            if all(n in (None, w) for n, w in zip(inner, wanted, strict=True)):
                return wanted
    shape = ", ".join("?" if n is None else str(n) for n in tensor["shape"])
    got = ", ".join(map(str, features)) or "nothing"
    raise InvalidInput(
        f"model '{model}': input '{tensor['name']}' expects rows of shape [{shape}], "
        f"got {count} number{'s' * (count != 1)}: {got}",
        hint="'inputs' lists what it was trained on, in that order; [?, time, path] and "
        "[?, path, time] take 'how: samples' with as many 'samples' for each path",
    )


def tensors(
    model: str, description: Json, features: Sequence[Feature], values: Sequence[F64]
) -> dict[str, F64]:
    """The model's inputs from the values (T, count) of each feature."""
    found: dict[str, F64] = {}
    for tensor in description["inputs"]:
        pairs = [
            (f, v) for f, v in zip(features, values, strict=True) if f.tensor == tensor["name"]
        ]
        shape = laid_out(model, tensor, [f for f, _ in pairs])
        parts = [v for _, v in pairs]
        rows = len(parts[0])
        if len(shape) == 2 and shape == (parts[0].shape[1], len(parts)):
            found[tensor["name"]] = np.stack(parts, axis=2)
        else:
            found[tensor["name"]] = np.concatenate(parts, axis=1).reshape(rows, *shape)
    return found


def numbers(model: str, given: Mapping[str, Any], output: str, column: int) -> F64:
    """One number a row from a model's outputs.

    Raises:
        InvalidInput: the output holds words, or has fewer columns.
    """
    name = output or next(iter(given))
    found = given[name]
    if found.dtype.kind not in "biuf":
        others = ", ".join(n for n, a in given.items() if a.dtype.kind in "biuf")
        raise InvalidInput(
            f"model '{model}': output '{name}' holds words, not numbers",
            hint=f"choose another 'output': {others or 'it has none'}",
        )
    table = found.reshape(len(found), -1).astype(np.float64)
    if column >= table.shape[1]:
        raise InvalidInput(
            f"model '{model}': output '{name}' has {table.shape[1]} columns, not {column + 1}",
            hint="'column' counts from 0",
        )
    chosen: F64 = table[:, column]
    return chosen
