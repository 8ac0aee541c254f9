"""The kind `forecast`: what signals will be, with a band; and what they would have been."""

from __future__ import annotations

from gemel.core.document import Json
from gemel.services.contract import Condition, Cost, Kind, Run, Signal
from gemel.services.forecast import saved
from gemel.services.forecast.live import Forecaster, outputs_of
from gemel.services.forecast.watch import SHARE, need


def _number(default: float, about: str, low: float, high: float, unit: str = "") -> Json:
    found = {"type": "number", "default": default, "description": about}
    return found | {"minimum": low, "maximum": high} | ({"unit": unit} if unit else {})


def _whole(default: int, about: str, low: int, high: int) -> Json:
    return _number(default, about, low, high) | {"type": "integer"}


PARAMETERS: Json = {
    "type": "object",
    "properties": {
        "signals": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "paths to forecast; all numbers without any",
        },
        "step": _number(3600.0, "seconds between two values", 1, 86_400, "s"),
        "season": _whole(24, "steps of one season", 1, 10_000),
        "lags": _whole(72, "steps looked back", 2, 1_000),
        "horizon": _whole(24, "steps looked ahead", 1, 1_000),
    },
}
SPAN: Json = {
    "type": "object",
    "properties": {"span": _number(60 * 86_400.0, "seconds of history", 60, 1e9, "s")},
}
SAVINGS: Json = {
    "type": "object",
    "properties": {
        "energy": {
            "type": "string",
            "default": "power",
            "description": "path of the power, or of the meter",
        },
        "counter": {
            "type": "boolean",
            "default": False,
            "description": "`energy` is a meter that counts, not a power",
        },
        "temperature": {
            "type": "string",
            "default": "temperature",
            "description": "path of the outdoor temperature",
        },
        "weather": {
            "type": "string",
            "default": "",
            "description": "the twin that has it; each its own without",
        },
        "change": {
            "type": "string",
            "default": "",
            "description": "when the measure was taken; it must be given",
        },
        "before": _number(365 * 86_400.0, "seconds before it that make the baseline", 60, 1e9, "s"),
        "period": _number(86_400.0, "seconds of a value: an hour or a day", 3_600, 86_400, "s"),
    },
}


def _reads(signal: Signal, parameters: Json) -> bool:
    return not parameters["signals"] or signal.path in parameters["signals"]


KIND = Kind(
    name="forecast",
    title="Forecast",
    about="what signals will be, with a band of 90 %, from their own past",
    fidelity=1,
    parameters=PARAMETERS,
    cost=Cost(1.0, 20_000),
    reads=_reads,
    make=Forecaster,
    own_outputs=outputs_of,
    remembers=True,
    review=Condition("forecast.coverage", SHARE, False, "Its model no longer fits"),
    runs=(
        Run(
            "savings",
            "energy after a change against a baseline of weather and calendar from before it",
            "gemel.services.forecast.saved:savings_run",
            SAVINGS,
            saved.need,
        ),
        Run(
            "learn",
            "a version for the live part, which forecasts each step that ends",
            "gemel.services.forecast.study:learn_run",
            SPAN,
        ),
        Run(
            "review",
            "whether the bands of the version in use have held since it was made",
            "gemel.services.forecast.watch:review_run",
            {
                "type": "object",
                "properties": {
                    "span": _number(14 * 86_400.0, "seconds that are looked at", 60, 1e9, "s")
                },
            },
            need,
        ),
        Run(
            "forecast",
            "forecast every signal from its history",
            "gemel.services.forecast.study:forecast_run",
            SPAN,
        ),
    ),
)
