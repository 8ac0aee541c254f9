"""The kind `forecast`: its run `forecast` says what a signal will be, with a band."""

from __future__ import annotations

from gemel.core.document import Json
from gemel.services.contract import Kind, Run, Signal


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


def _reads(signal: Signal, parameters: Json) -> bool:
    return not parameters["signals"] or signal.path in parameters["signals"]


KIND = Kind(
    name="forecast",
    title="Forecast",
    about="what signals will be, with a band of 90 %, from their own past",
    fidelity=1,
    parameters=PARAMETERS,
    reads=_reads,
    runs=(
        Run(
            "forecast",
            "forecast every signal from its history",
            "gemel.services.forecast.study:forecast_run",
            {
                "type": "object",
                "properties": {
                    "span": _number(60 * 86_400.0, "seconds of history", 60, 1e9, "s"),
                },
            },
        ),
    ),
)
