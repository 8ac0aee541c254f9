"""The kind `behaviour`: a model of how twins behave, fitted to them, and followed live."""

from __future__ import annotations

from gemel.core.document import Json
from gemel.services.behaviour.registry import REGRESSION, behaviours
from gemel.services.calibration.hindsight import need_of_some
from gemel.services.calibration.idle import follower
from gemel.services.calibration.live import (
    BIAS,
    CHANGE,
    RESIDUAL,
    STATE,
    VALUE,
)
from gemel.services.calibration.runs import need
from gemel.services.calibration.settings import check, foreign, reads
from gemel.services.contract import Cost, Kind, Output, Regular, Run


def _number(default: float, about: str, low: float, high: float, unit: str = "") -> Json:
    found = {"type": "number", "default": default, "description": about}
    return found | {"minimum": low, "maximum": high} | ({"unit": unit} if unit else {})


def _names(about: str) -> Json:
    return {"type": "array", "items": {"type": "string"}, "default": [], "description": about}


def _table(about: str) -> Json:
    return {"type": "object", "default": {}, "description": about}


def _output(name: str, title: str, about: str, provenance: str = "derived") -> Output:
    is_expected = provenance == "predicted"
    return Output(name, about, "", provenance, is_expected, title, every="step")


PARAMETERS: Json = {
    "type": "object",
    "required": ["behaviour", "observed"],
    "properties": {
        "behaviour": {
            "type": "string",
            "description": "the model: "
            + ", ".join([*behaviours(), REGRESSION])
            + ", or one that was imported",
        },
        "inputs": _table("by input: a path of the twin, or a number"),
        "observed": {"type": "string", "description": "the path that reads the output"},
        "output": {
            "type": "string",
            "default": "",
            "description": "the output that is read; the first without",
        },
        "values": _table("by parameter: its value, where it is known"),
        "follow": _names("parameters that may drift"),
        "step": _number(900, "seconds of a step", 0.01, 86_400, "s"),
        "readingNoise": _number(0.1, "deviation of a reading, in its unit", 1e-9, 1e9),
        "stateNoise": _number(0.3, "of states, in their unit and in the root of a day", 0, 1e9),
        "walk": _number(0.02, "of followed parameters, as a share in the root of a day", 0, 1),
        "members": {
            "type": "integer",
            "default": 60,
            "minimum": 10,
            "maximum": 1000,
            "description": "of the ensemble of each twin",
        },
    },
}
CALIBRATE: Json = {
    "type": "object",
    "properties": {
        "span": _number(14 * 86_400, "seconds of history", 60, 1e9, "s"),
        "fitted": _names("parameters to fit; without any, all that `values` does not know"),
        "starts": {
            "type": "integer",
            "default": 8,
            "minimum": 1,
            "maximum": 100,
            "description": "of the search",
        },
        "holdout": _number(1 / 3, "share of the span, from its end, to judge on", 0.05, 0.9),
        "most": _number(0, "RMSE of the free run above which it does not pass; 0: none", 0, 1e9),
    },
}
EXPLAIN: Json = {
    "type": "object",
    "properties": {
        "span": _number(36 * 86_400, "seconds of history", 5 * 86_400, 1e9, "s"),
        "most": {
            "type": "integer",
            "default": 50,
            "minimum": 1,
            "maximum": 10_000,
            "description": "twins of one run; of more each day takes the next ones",
        },
    },
}
PLAN: Json = {
    "type": "object",
    "properties": {
        "chosen": {"type": "string", "default": "heat", "description": "the input to plan"},
        "command": {
            "type": "string",
            "default": "",
            "description": "of the twin, that sets the input: recommended with the first step",
        },
        "low": _number(20, "least output from `from` to `to`", -1e9, 1e9),
        "high": _number(26, "most output", -1e9, 1e9),
        "lowOutside": _number(-1e9, "least output in other hours", -1e9, 1e9),
        "from": _number(0, "hour of the day (UTC) from which `low` holds", 0, 24),
        "to": _number(24, "hour until which it holds", 0, 24),
        "most": _number(8000, "of the input; its least is 0", 0, 1e12),
        "prices": {
            "type": "array",
            "items": {"type": "number"},
            "default": [],
            "description": "of one unit of the input for an hour; one, or one an hour of the day",
        },
        "discomfort": _number(1e6, "price of one unit outside the bounds for an hour", 0, 1e15),
        "hours": _number(24, "to plan", 1, 168, "h"),
        "span": _number(3 * 86_400, "seconds of readings, from which the state is found", 60, 1e9),
    },
}
SIMULATE: Json = {
    "type": "object",
    "properties": {
        "span": _number(86_400, "seconds of history, whose inputs are taken", 60, 1e9, "s"),
        "hold": _table("by input: a number in place of what was read"),
        "change": _table("by parameter: a number in place of what is in use"),
    },
}

KIND = Kind(
    name="behaviour",
    title="Behaviour model",
    about="what a twin should be by its model; tells drift of the plant from bias of its sensor",
    fidelity=2,
    outputs=(
        _output(VALUE, "Expected value", "expected at the end of a step", "predicted"),
        _output(RESIDUAL, "Residual", "reading less expected, in deviations"),
        _output(CHANGE, "Change of the plant", "largest of a followed parameter, as a share"),
        _output(BIAS, "Bias of the sensor", "what it is off by; 0 where it is trusted"),
        _output(STATE, "State of the model", "0 as calibrated, 1 changed, 2 the sensor is off"),
    ),
    parameters=PARAMETERS,
    cost=Cost(1.0, 30_000),
    make=follower,
    runs=(
        Run(
            "calibrate",
            "parameters of each twin from its history, judged on a part that is held out",
            "gemel.services.calibration.runs:calibrate_twins",
            CALIBRATE,
            need,
        ),
        Run(
            "explain",
            "whether the plant has changed since its calibration, or its sensor is off",
            "gemel.services.calibration.hindsight:explain_twins",
            EXPLAIN,
            need_of_some,
            regular=Regular(86_400, 6 * 86_400, lambda parameters: bool(parameters["follow"])),
        ),
        Run(
            "plan",
            "the cheapest input for the hours to come that keeps the output within bounds",
            "gemel.services.calibration.planning:plan_twins",
            PLAN,
            need,
        ),
        Run(
            "simulate",
            "what the model says over a span, with inputs as they were read or as given",
            "gemel.services.calibration.expecting:simulate_twins",
            SIMULATE,
            need,
        ),
    ),
    reads=reads,
    remembers=True,
    expects=lambda parameters: {VALUE: str(parameters["observed"])},
    foreign=foreign,
    check=check,
    example={"behaviour": "first-order", "inputs": {"input": "x"}, "observed": "y"},
)
