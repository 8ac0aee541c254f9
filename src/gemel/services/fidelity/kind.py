"""The kind `fidelity`: which level of model a decision needs."""

from __future__ import annotations

from gemel.core.document import Json
from gemel.services.contract import Kind, Run
from gemel.services.fidelity.behaviours import check, foreign, reads


def _number(default: float, about: str, low: float, high: float) -> Json:
    return {
        "type": "number",
        "default": default,
        "description": about,
        "minimum": low,
        "maximum": high,
    }


def _whole(default: int, about: str, low: int, high: int) -> Json:
    return _number(default, about, low, high) | {"type": "integer"}


def _lives(about: str) -> Json:
    return {
        "type": "array",
        "items": {
            "type": "array",
            "items": {"type": "number", "nullable": True},
            "maxItems": 2_000,
        },
        "default": [],
        "maxItems": 2_000,
        "description": about,
    }


ADVISE: Json = {
    "type": "object",
    "properties": {
        "begin": _number(0.1, "damage of a new part, in shares of failure", 0.01, 0.9),
        "rate": _number(0.02, "median growth of its logarithm a day", 0.0005, 1),
        "rateSpread": _number(0.3, "of the rate's logarithm, from life to life", 0, 2),
        "noise": _number(0.03, "of the sensor, in shares of failure", 0, 1),
        "bend": _number(1.0, "1: exponential; above: slower first, then faster", 0.3, 5),
        "jitter": _number(0.0, "random growth from day to day, in shares of the rate", 0, 5),
        "sudden": _number(0.0, "chance a day of a failure that nothing announces", 0, 0.5),
        "failure": _number(10.0, "cost of a failure", 0, 1e12),
        "planned": _number(1.0, "cost of a replacement in time", 1e-9, 1e12),
        "recorded": _lives(
            "lives that tell all this: of each a reading of damage a day to its end"
        ),
        "renewed": _lives("the same of parts that did not fail: renewed before, or still running"),
        "lead": _whole(10, "days from the order to the replacement", 0, 365),
        "seed": _whole(1, "the same gives the same", 0, 2**31),
    },
}


def _table(about: str) -> Json:
    return {"type": "object", "default": {}, "description": about}


LEVEL: Json = {
    "type": "object",
    "required": ["name", "behaviour"],
    "properties": {
        "name": {"type": "string", "description": "what the level is called"},
        "behaviour": {"type": "string", "description": "built in, or the name of an imported one"},
        "values": _table("by parameter: its value, where it is not the usual one"),
        "start": _table("by state: where each scenario begins"),
        "inputs": _table("by common name: what it is called in this behaviour"),
        "outputs": _table("by common name: what it is called in this behaviour"),
    },
}
PARAMETERS: Json = {
    "type": "object",
    "properties": {
        "tolerance": _number(0.02, "cost that a lower level may have more, in shares", 0, 1),
        "levels": {
            "type": "array",
            "items": LEVEL,
            "default": [],
            "maxItems": 20,
            "description": "of `compare`: behaviour models, the simplest first",
        },
        "reference": {
            "type": "string",
            "default": "",
            "description": "the level that stands for the plant; the last without",
        },
        "inputs": _table("by common name: a path of the twins, or a number"),
        "step": _number(900, "seconds of a step", 0.01, 86_400) | {"unit": "s"},
    },
}
COMPARE: Json = {
    "type": "object",
    "properties": {
        "chosen": {
            "type": "string",
            "default": "",
            "description": "the common name of the input to decide",
        },
        "candidates": {
            "type": "array",
            "items": {"type": "number"},
            "default": [],
            "maxItems": 1000,
            "description": "the values it may have",
        },
        "cost": _table("by output, or the chosen input: the price of one unit of it for an hour"),
        "limits": _table("by output: `low`, `high`, and the `price` of a unit outside for an hour"),
        "window": _number(86_400, "seconds of one scenario", 0.01, 1e9) | {"unit": "s"},
        "span": _number(30 * 86_400, "seconds of history, if inputs are paths", 60, 1e9)
        | {"unit": "s"},
        "vary": _table("by input or parameter of the reference: the spread of its logarithm"),
        "draws": _whole(1, "scenarios of each window", 1, 10_000),
        "seed": _whole(1, "the same gives the same", 0, 2**31),
    },
}
KIND = Kind(
    name="fidelity",
    title="Fidelity advisor",
    about="the lowest level of model whose decisions are as good as those of the best",
    fidelity=2,
    parameters=PARAMETERS,
    per_model=False,
    runs=(
        Run(
            "advise",
            "every level decides in closed loop on the same lives; the lowest within tolerance",
            "gemel.services.fidelity.study:advise_run",
            ADVISE,
        ),
        Run(
            "compare",
            "behaviour models as levels: what the choices of each cost by the reference",
            "gemel.services.fidelity.behaviours:compare",
            COMPARE,
        ),
    ),
    reads=reads,
    foreign=foreign,
    check=check,
)
