"""A model of others, opened in a sandbox: what it says of itself, and the `Behaviour` of it."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from gemel.core.batch import F64
from gemel.core.document import Json
from gemel.core.errors import Damaged, InvalidInput
from gemel.services.behaviour.imported import behaviour_from
from gemel.services.behaviour.model import Behaviour, Step, simulate
from gemel.services.behaviour.pointwise import pointwise_from, tensors_of
from gemel.services.foreign.archive import is_archive, unpack
from gemel.services.foreign.sandbox import ONNX_FILE, Arrays, Sandbox

MODES = ("co-simulation", "model-exchange")
MEMORY_MB = 1024
PATIENCE = 10.0


@dataclass(slots=True)
class Foreign:
    """A model of others that is open: its description, its behaviour, and how it is confined."""

    name: str
    description: Json
    _behaviour: Behaviour | None
    sandbox: Sandbox

    @property
    def behaviour(self) -> Behaviour:
        """Of an FMU.

        Raises:
            InvalidInput: it is none.
        """
        return self._behaviour or behaviour_from(self.name, self.description)

    def behaviour_in_time(self) -> Behaviour:
        """As it takes part in a scenario: an FMU, or an ONNX model asked at each step.

        Raises:
            InvalidInput: an ONNX model whose inputs are not rows of numbers.
        """
        if self.description["format"] != "onnx":
            return self.behaviour
        inputs, outputs = tensors_of(self.name, self.description)
        edges = np.cumsum([0, *(len(t.columns) for t in inputs)]).tolist()

        def step(state: F64, values: F64) -> tuple[F64, F64]:
            spans = pairwise(edges)
            fed = {t.name: t.rows(values[a:b]) for t, (a, b) in zip(inputs, spans, strict=True)}
            said = self.outputs(fed)
            rows = [np.asarray(said[t.name], np.float64).reshape(len(state.T), -1) for t in outputs]
            return state, np.concatenate(rows, axis=1).T

        def prepare(values: F64, seconds: float) -> Step:
            del values, seconds
            return step

        return replace(pointwise_from(self.name, self.description), prepare=prepare)

    @property
    def protections(self) -> tuple[str, ...]:
        return tuple(self.sandbox.protections)

    def outputs(self, inputs: Arrays) -> dict[str, Any]:
        """Of an ONNX model: its outputs for rows of its inputs, by name."""
        named, found = self.sandbox.ask({"ask": "run"}, inputs)
        return {name: found[f"{i}/{name}"] for i, name in enumerate(named["names"])}


@contextmanager
def opened(
    name: str, data: bytes, mode: str = "", memory_mb: int = MEMORY_MB, patience: float = PATIENCE
) -> Iterator[Foreign]:
    """Starts a model in a sandbox of its own, until the end of the block.

    Args:
        name: for messages.
        data: an FMU's or an ONNX file's bytes.
        mode: `co-simulation` or `model-exchange`, for an FMU that is both.
        memory_mb: beyond what Python and its libraries take.
        patience: seconds that one call into the model may take.

    Raises:
        InvalidInput: it is not such a file, refuses, crashes or does not come back.
        Unavailable: the library for its format is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="gemel-model-") as folder:
        if is_archive(data):
            unpack(data, Path(folder))
        else:
            (Path(folder) / ONNX_FILE).write_bytes(data)
        sandbox = Sandbox(name, folder, memory_mb, patience)
        try:
            description, _ = sandbox.ask({"ask": "open", "mode": mode})
            behaviour = None
            if description["format"] == "fmu":
                behaviour = running(behaviour_from(name, description), description, sandbox)
            yield Foreign(name, description, behaviour, sandbox)
        finally:
            sandbox.close()


def opened_entry(name: str, entry: Json) -> AbstractContextManager[Foreign]:
    """As `opened`, of one that was imported: its description, limits and the path of its file."""
    data = Path(entry["file"]).read_bytes()
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise Damaged(
            f"the file of model '{name}' is not what was imported", hint="import it again"
        )
    return opened(name, data, entry["mode"], entry["memoryMb"], entry["patience"])


def tried(
    name: str, data: bytes, mode: str, memory_mb: int, patience: float
) -> tuple[Json, tuple[str, ...]]:
    """The description and protections of a model that has been started and has run two steps.

    Raises:
        InvalidInput, Unavailable: as `opened`.
    """
    with opened(name, data, mode, memory_mb, patience) as model:
        if model.description["format"] == "fmu":
            seconds = float(model.description["step"]) or 1.0
            held = {one.name: np.full(2, one.value) for one in model.behaviour.inputs}
            simulate(model.behaviour, held, seconds)
        return model.description, model.protections


def running(behaviour: Behaviour, description: Json, sandbox: Sandbox) -> Behaviour:
    """The behaviour of a model that is open in a sandbox."""

    def whole(parameters: F64, start: F64, inputs: F64, seconds: float) -> tuple[F64, F64]:
        _, found = sandbox.ask(
            {"ask": "run", "seconds": seconds},
            {"parameters": parameters, "start": start, "inputs": inputs},
        )
        return found["states"], found["outputs"]

    def prepare(parameters: F64, seconds: float) -> Step:
        if description["mode"] == "co-simulation":
            raise InvalidInput(
                f"model '{behaviour.name}' keeps its state to itself (co-simulation)",
                hint="it can be simulated, calibrated and take part in scenarios; to plan with it "
                "or follow drift, import it for model exchange",
            )

        def step(state: F64, inputs: F64) -> tuple[F64, F64]:
            states, outputs = whole(parameters, state, inputs[None], seconds)
            return states[1], outputs[0]

        return step

    def follow(parameters: F64, seconds: float) -> Step:
        course, _ = sandbox.ask({"ask": "follow", "seconds": seconds}, {"parameters": parameters})

        def step(state: F64, inputs: F64) -> tuple[F64, F64]:
            _, found = sandbox.ask({"ask": "step", **course}, {"state": state, "inputs": inputs})
            return found["states"], found["outputs"]

        return step

    return replace(behaviour, prepare=prepare, whole=whole, follow=follow)
