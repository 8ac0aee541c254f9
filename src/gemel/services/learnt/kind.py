"""The kind `learnt`: a model that was learnt elsewhere (ONNX) predicts for its twins."""

from __future__ import annotations

from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.contract import Kind, Output, Run, Signal
from gemel.services.learnt.binding import features_of
from gemel.services.learnt.predicting import VALUE, need

PARAMETERS: Json = {
    "type": "object",
    "required": ["model", "inputs"],
    "properties": {
        "model": {"type": "string", "description": "the imported ONNX model"},
        "inputs": {
            "type": "array",
            "items": {"type": "object"},
            "minItems": 1,
            "description": "in the order of training: path, how (last, mean, sum, std, slope, min, "
            "max, samples), window (s), samples, and the model's input where it has several",
        },
        "every": {
            "type": "number",
            "default": 60,
            "minimum": 1,
            "maximum": 86_400,
            "unit": "s",
            "description": "seconds between predictions",
        },
        "output": {
            "type": "string",
            "default": "",
            "description": "the model's output that is taken; the first without",
        },
        "column": {
            "type": "integer",
            "default": 0,
            "minimum": 0,
            "maximum": 100_000,
            "description": "of that output, such as the class whose probability is wanted",
        },
    },
}
PREDICT: Json = {
    "type": "object",
    "properties": {
        "span": {
            "type": "number",
            "default": 3_600,
            "minimum": 1,
            "maximum": 1e9,
            "unit": "s",
            "description": "seconds of history in which it predicts",
        },
    },
}


def _reads(signal: Signal, parameters: Json) -> bool:
    return any(signal.path == one.get("path") for one in parameters["inputs"])


def _check(parameters: Json, foreign: Json) -> None:
    name = parameters["model"]
    if foreign[name]["format"] != "onnx":
        raise InvalidInput(
            f"model '{name}' is of the format {foreign[name]['format']}, not onnx",
            hint="the kind of service for an FMU is 'behaviour'",
        )
    features_of(parameters, name, foreign[name])


KIND = Kind(
    name="learnt",
    title="Learnt model",
    about="a model that was learnt elsewhere (ONNX), fed with windows of its twins' signals",
    fidelity=1,
    outputs=(
        Output(VALUE, "what the model says", "", "predicted", title="Prediction", every="every"),
    ),
    parameters=PARAMETERS,
    runs=(
        Run(
            "predict",
            "what the model says at even moments of a span",
            "gemel.services.learnt.predicting:predict_twins",
            PREDICT,
            need,
        ),
    ),
    reads=_reads,
    foreign=lambda parameters: (parameters["model"],),
    check=_check,
    example={"model": "tried", "inputs": [{"path": "x"}]},
)
