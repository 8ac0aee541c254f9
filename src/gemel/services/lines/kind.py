"""The kind `line`: a discrete-event model of stations in a row, and its run `bottleneck`."""

from __future__ import annotations

from gemel.core.document import Json
from gemel.services.contract import Kind, Run, Signal


def _number(default: float, about: str, low: float, high: float, unit: str = "") -> Json:
    found = {"type": "number", "default": default, "description": about}
    return found | {"minimum": low, "maximum": high} | ({"unit": unit} if unit else {})


def _whole(default: int, about: str, low: int, high: int) -> Json:
    return {
        "type": "integer",
        "default": default,
        "description": about,
        "minimum": low,
        "maximum": high,
    }


STATION: Json = {
    "type": "object",
    "properties": {
        "twin": {"type": "string", "default": "", "description": "or a name of your own"},
        "cycle": _number(0, "mean seconds of a job; 0: from history", 0, 1e6, "s"),
        "spread": _number(-1, "deviation over mean; -1: from history, else 0.1", -1, 10),
        "between": _number(0, "mean seconds of work between stops; 0: never", 0, 1e9, "s"),
        "stop": _number(0, "mean seconds of a stop", 0, 1e9, "s"),
    },
}
PARAMETERS: Json = {
    "type": "object",
    "properties": {
        "stations": {
            "type": "array",
            "items": STATION,
            "default": [],
            "description": "in the order of flow; none: the twins, in the order in which they feed",
        },
        "buffers": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 10_000},
            "default": [],
            "description": "places between them; none: `places` everywhere",
        },
        "places": _whole(10, "between any two where buffers are not told", 0, 10_000),
        "signal": {
            "type": "string",
            "default": "cycleTime",
            "description": "the path from which cycles are taken",
        },
    },
}


def _reads(signal: Signal, parameters: Json) -> bool:
    return bool(signal.path == parameters["signal"])


KIND = Kind(
    name="line",
    title="Line of machines",
    about="throughput, buffers, stops and the bottleneck of stations in a row, event by event",
    fidelity=2,
    parameters=PARAMETERS,
    reads=_reads,
    runs=(
        Run(
            "bottleneck",
            "what holds the line back, and which change raises throughput most",
            "gemel.services.lines.study:bottleneck",
            {
                "type": "object",
                "properties": {
                    "span": _number(86_400, "seconds of history for the cycles", 1, 1e9, "s"),
                    "faster": _number(0.1, "share by which a station is made faster", 0.01, 0.9),
                    "more": _whole(4, "places that a buffer is given more", 1, 1_000),
                    "jobs": _whole(3_000, "through the line in each repetition", 200, 50_000),
                    "repetitions": _whole(20, "with other draws", 5, 200),
                    "seed": _whole(1, "the same gives the same", 0, 2**31),
                },
            },
        ),
    ),
)
