"""The kind `rul`: what it declares."""

from __future__ import annotations

from gemel.core.document import Json
from gemel.services.contract import (
    Condition,
    Cost,
    Instance,
    Kind,
    Need,
    Output,
    Plant,
    Run,
    Signal,
)
from gemel.services.rul.live import REMAINING, RemainingLife
from gemel.services.rul.model import LEVELS
from gemel.services.rul.review import DRIFT

SECOND = 1_000_000_000
PATHS: Json = {"type": "array", "items": {"type": "string"}, "default": []}


def _number(default: float, about: str, low: float, high: float, unit: str = "") -> Json:
    found = {"type": "number", "default": default, "description": about}
    return found | {"minimum": low, "maximum": high} | ({"unit": unit} if unit else {})


def _whole(default: int, about: str, low: int, high: int) -> Json:
    found = {"type": "integer", "default": default, "description": about}
    return found | {"minimum": low, "maximum": high}


def _path(about: str) -> Json:
    return {"type": "string", "default": "", "description": about}


PARAMETERS: Json = {
    "type": "object",
    "properties": {
        "signals": PATHS | {"description": "paths to learn from; all numbers without any"},
        "conditions": PATHS
        | {"description": "paths that say how it is run (load, speed, ambient), not how it is"},
        "age": _path("path that counts from each renewal; falling is a renewal"),
        "failed": _path("path that is above 0 when the machine has failed"),
        "cycle": _number(86_400.0, "seconds of one cycle", 1, 1e8, "s"),
        "level": {
            "type": "string",
            "enum": list(LEVELS),
            "default": LEVELS[0],
            "description": "learnt: boosted trees; trend: a line of wear; age: a Weibull of lives",
        },
        "most": _number(125.0, "cycles beyond which lives are not told apart", 2, 100_000),
        "alarm": _number(30.0, "days left at which people are told", 0, 36_500),
        "by": {
            "type": "string",
            "enum": ["median", "low"],
            "default": "median",
            "description": "what is held against `alarm`",
        },
        "hold": _whole(3, "cycles in a row before it is told", 1, 1_000),
        "work": {
            "type": "string",
            "default": "Renew before it fails",
            "description": "title of the work order that is proposed",
        },
        "parts": {
            "type": "array",
            "items": {"type": "object"},
            "default": [],
            "description": "for the work order: name, number and count of each",
        },
        "lead": _number(0.0, "days until the parts are there", 0, 3_650),
        "renew": _number(
            0.0, "days left at which to renew, parts being there; 0: once they are", 0, 36_500
        ),
        "repair": {
            "type": "string",
            "default": "Repair after failure",
            "description": "title of work orders that record a failure",
        },
    },
}
SPAN: Json = _number(3.2e8, "seconds of history", 60, 1e10, "s")
FAILURES: Json = {
    "type": "array",
    "items": {"type": "object"},
    "default": [],
    "description": "failures that no signal tells: twin and time of each",
}
TRAIN: Json = {
    "type": "object",
    "properties": {
        "span": SPAN,
        "failures": FAILURES,
        "runToFailure": {
            "type": "boolean",
            "default": False,
            "description": "each twin's history ends with its failure",
        },
        "trees": _whole(450, "boosting rounds of the level `learnt`", 10, 5_000),
        "folds": _whole(5, "parts of lives that are left out in turn", 2, 20),
        "seed": _whole(1, "of the parts and the boosting", 0, 1_000_000),
    },
}
REVIEW: Json = {
    "type": "object",
    "properties": {
        "span": SPAN,
        "failures": FAILURES,
        "batch": _whole(
            40, "cycles after which inputs are held against what was learnt", 1, 10_000
        ),
    },
}


PLAN: Json = {
    "type": "object",
    "properties": {
        "span": SPAN | {"default": 3.2e7},
        "crews": _whole(1, "machines that can be served at a time", 1, 1_000),
        "horizon": _whole(180, "days that are planned", 2, 3_650),
        "days": _number(1.0, "that a planned renewal takes", 0.01, 365),
        "planned": _number(1.0, "cost of a planned renewal", 0, 1e12),
        "unplanned": _number(3.0, "cost of one after a failure", 0, 1e12),
        "life": _number(200.0, "days that a new machine lasts", 1, 100_000),
    },
}


def _reads(signal: Signal, parameters: Json) -> bool:
    wanted = parameters["signals"]
    others = {*parameters["conditions"], parameters["age"], parameters["failed"]}
    return not wanted or signal.path in wanted or signal.path in others


def _whole_history(parameters: Json, instance: Instance, plant: Plant, now: int) -> Need:
    del plant
    begin = max(0, now - round(float(parameters["span"]) * SECOND))
    return Need(instance.signals, begin, now, work=True)


KIND = Kind(
    name="rul",
    title="Remaining life",
    about="how long each machine will go on, with an interval that holds, and why",
    fidelity=2,
    outputs=(
        Output(
            REMAINING,
            "days until it fails: the median",
            "day",
            "predicted",
            has_interval=True,
            title="Remaining life",
            every="cycle",
        ),
    ),
    parameters=PARAMETERS,
    cost=Cost(1.0, 700),
    make=RemainingLife,
    runs=(
        Run(
            "train",
            "learns from lives that ended in failure; judged on lives that were left out",
            "gemel.services.rul.learning:train",
            TRAIN,
            need=_whole_history,
            memory_mb=2_048,
            seconds=1_800.0,
        ),
        Run(
            "review",
            "whether the version in use still holds: inputs against those learnt from, intervals "
            "against what has failed since",
            "gemel.services.rul.review:review",
            REVIEW,
            need=_whole_history,
            memory_mb=2_048,
        ),
        Run(
            "retrain",
            "learns anew, and is taken into use if it does better on lives that neither has seen",
            "gemel.services.rul.retrain:retrain",
            TRAIN,
            need=_whole_history,
            memory_mb=2_048,
            seconds=1_800.0,
        ),
        Run(
            "plan",
            "when to serve which machine, under so many crews, so that the fleet costs least",
            "gemel.services.rul.planning:run",
            PLAN,
            need=_whole_history,
        ),
    ),
    reads=_reads,
    remembers=True,
    review=Condition(DRIFT, 1.0, title="Its model no longer fits", alarm_class="service"),
)
