"""The kind `anomaly`: what it declares."""

from __future__ import annotations

from gemel.core.document import Json
from gemel.services.anomaly import trees
from gemel.services.anomaly.live import SCORE, AnomalyDetector
from gemel.services.contract import Cost, Kind, Output, Run, Signal


def _number(default: float | None, about: str, low: float, high: float, unit: str = "") -> Json:
    found: Json = {"type": "number", "description": about, "minimum": low, "maximum": high}
    if default is not None:
        found["default"] = default
    return found | ({"unit": unit} if unit else {})


PARAMETERS: Json = {
    "type": "object",
    "properties": {
        "signals": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "paths to watch; all numbers without any",
        },
        "sample": _number(1.0, "seconds of one sample", 0.001, 86_400, "s"),
        "sigmas": _number(6.0, "deviations at which a signal little known is abnormal", 1, 100),
        "apart": _number(
            259_200, "seconds from one false alarm of a signal to the next", 60, 1e9, "s"
        ),
        "weight": _number(0.1, "of the newest sample in running means", 0.001, 1),
        "memory": _number(10_000, "samples after which a baseline has half forgotten", 10, 1e9),
        "warmup": {
            "type": "integer",
            "default": 120,
            "minimum": 10,
            "maximum": 1_000_000,
            "description": "samples of a signal before it counts, where nothing was learnt",
        },
        "trees": {
            "type": "boolean",
            "default": False,
            "description": "half-space trees for each twin too; needs the extra `river`",
        },
        "treeSigmas": _number(10.0, "deviations at which a sample is odd to the trees", 1, 100),
        "hold": _number(
            None,
            "seconds beyond the limit before it is told; left open: 5, or one sample",
            0,
            86_400,
            "s",
        ),
        "returns": _number(0.7, "share of the limit below which an episode may end", 0.01, 1),
        "quiet": _number(
            None, "seconds below that until it ends; left open: 60, or 12 samples", 0, 1e6, "s"
        ),
        "rest": _number(
            None,
            "seconds after it in which only a higher one is told; left open: 600, or 100 samples",
            0,
            1e7,
            "s",
        ),
        "every": _number(60.0, "seconds between stored scores", 0, 86_400, "s"),
    },
}
LEARN: Json = {
    "type": "object",
    "properties": {
        "span": _number(86_400, "seconds of history that were normal", 10, 1e9, "s"),
        "bucket": _number(0.0, "seconds over which readings are averaged; 0: as stored", 0, 1e6),
        "falseAlarms": _number(0.0005, "share of normal samples above each limit", 1e-6, 0.2),
    },
}


def _reads(signal: Signal, parameters: Json) -> bool:
    return not parameters["signals"] or signal.path in parameters["signals"]


def _check(parameters: Json, foreign: Json) -> None:
    del foreign
    if parameters["trees"]:
        trees.check()


KIND = Kind(
    name="anomaly",
    title="Anomalies",
    about="tells when signals are unlike their normal, alone or together, and which ones",
    fidelity=1,
    outputs=(
        Output(
            SCORE,
            "1 is the limit; the furthest of all statistics of the twin",
            title="Anomaly score",
            every="every",
        ),
    ),
    parameters=PARAMETERS,
    cost=Cost(0.05, 120),
    make=AnomalyDetector,
    runs=(
        Run(
            "learn",
            "learns from history what is normal: baselines, and how signals go together",
            "gemel.services.anomaly.learning:learn",
            LEARN,
        ),
    ),
    reads=_reads,
    check=_check,
)
