"""The kind `fidelity`: which level of model a decision needs."""

from __future__ import annotations

from gemel.core.document import Json
from gemel.services.contract import Kind, Run


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
        "lead": _whole(10, "days from the order to the replacement", 0, 365),
        "seed": _whole(1, "the same gives the same", 0, 2**31),
    },
}
PARAMETERS: Json = {
    "type": "object",
    "properties": {
        "tolerance": _number(0.02, "cost that a lower level may have more, in shares", 0, 1)
    },
}
KIND = Kind(
    name="fidelity",
    title="Fidelity advisor",
    about="the lowest level of model whose decisions are as good, for the decision when to replace",
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
    ),
)
