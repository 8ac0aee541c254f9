"""Tennessee Eastman process: detection rates and delays at 1 % false alarms on normal operation.

The normal training run teaches; of the normal test run 1 % is above a limit. The statistic, its
weight and share of variance are chosen on all faults but the one that is judged, for each in turn,
among those whose false alarms before these faults began stay below 2 %; its own false alarms before
it began are counted too. `asPublished` takes the best of each statistic on all faults, as the
baselines below do.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from studies import Options, StudyError, left_out
from studies._detection import STATISTICS, judged
from studies._tables import matrix_of

SIGNALS, BEGIN, MINUTES, RATE, HELD = 52, 160, 3, 0.01, 3
WEIGHTS, SHARES = (0.02, 0.05, 0.1, 0.2), (0.5, 0.7, 0.9)
HARD = (3, 9, 15)
BASELINES = {  # mean detection rate of 21 faults; without 3, 9 and 15 (all faults, limit on d00_te)
    "static max|z|": [0.657, 0.759],
    "PCA T2": [0.577, 0.671],
    "PCA SPE": [0.628, 0.730],
    "dynamic PCA SPE": [0.656, 0.763],
    "EWMA of SPE": [0.730, 0.846],
}


def run(options: Options) -> dict[str, Any]:
    train, normal, faults = runs_of(options, options.small)
    weights, shares = ((0.05,), (0.7,)) if options.small else (WEIGHTS, SHARES)
    tables: dict[Any, Any] = {}
    for weight in weights:
        for share in shares:
            calm = judged(train, normal, weight, share)
            each = {f: judged(train, x, weight, share) for f, x in faults.items()}
            for name in STATISTICS:
                tables[name, weight, share] = (calm[name], {f: t[name] for f, t in each.items()})
    numbers = sorted(faults)
    apart: dict[int, Any] = {}
    chosen = Counter[Any]()
    for places, judge in left_out(len(numbers)):
        best = _choose(tables, [numbers[i] for i in places])
        chosen[best] += 1
        apart[numbers[judge]] = _judge(tables[best], numbers[judge])
    easy = [f for f in numbers if f not in HARD]
    return {
        "faults": numbers,
        "judgedApart": {
            "rate": float(np.mean([apart[f]["rate"] for f in numbers])),
            "rateWithoutHard": _mean([apart[f]["rate"] for f in easy]),
            "far": float(np.mean([apart[f]["far"] for f in numbers])),
            "alarmed": sum(apart[f]["delayMinutes"] is not None for f in numbers),
            "medianDelayMinutes": _median([apart[f]["delayMinutes"] for f in numbers]),
        },
        "chosenMostOften": [
            {"statistic": name, "weight": weight, "share": share, "faults": count}
            for (name, weight, share), count in chosen.most_common(3)
        ],
        "byFault": apart,
        "asPublished": _as_published(tables, numbers, easy),
        "baselines21Faults": BASELINES,
    }


def runs_of(
    options: Options, is_small: bool
) -> tuple[np.ndarray, np.ndarray, dict[int, np.ndarray]]:
    """The normal training run, the normal test run, and the runs with a fault by its number."""
    train = table_of(options.file("tep", "d00.dat.gz", "d00.dat"))
    normal = table_of(options.file("tep", "d00_te.dat.gz", "d00_te.dat"))
    return train, normal, faults_of(options.folder("tep"), is_small)


def faults_of(folder: Path, is_small: bool) -> dict[int, np.ndarray]:
    """The runs with a fault, by its number."""
    paths = [p for p in sorted(folder.glob("d[0-9][0-9]_te.dat*")) if "d00" not in p.name]
    if len(paths) < 2:
        raise StudyError(
            f"{folder} holds {len(paths)} faults (dNN_te.dat.gz); two at least are needed, as each "
            "is judged by what was chosen on the others"
        )
    found = {int(p.name[1:3]): table_of(p) for p in (paths[:4] if is_small else paths)}
    for path in paths[: len(found)]:
        rows = len(found[int(path.name[1:3])])
        if rows < BEGIN + HELD:
            raise StudyError(f"{path} has {rows} rows; its fault begins at row {BEGIN}")
    return found


def table_of(path: Path) -> np.ndarray:
    found = matrix_of(path)
    found = found.T if found.shape[0] == SIGNALS else found  # one file is stored transposed
    if found.shape[1] != SIGNALS:
        raise StudyError(f"{path} has {found.shape[1]} columns, not {SIGNALS}")
    return found


def _limit(calm: np.ndarray) -> float:
    return float(np.quantile(calm, 1 - RATE))


def _choose(tables: Any, faults: list[int]) -> Any:
    """The most detections among those that keep their false-alarm rate, else the least of it."""

    def worth(key: Any) -> tuple[float, float]:
        judged_so = [_judge(tables[key], f) for f in faults]
        far = float(np.mean([one["far"] for one in judged_so]))
        rate = float(np.mean([one["rate"] for one in judged_so]))
        return -max(far, 2 * RATE), rate

    return max(tables, key=worth)


def _judge(table: Any, fault: int) -> dict[str, Any]:
    calm, each = table
    limit = _limit(calm)
    alarm = each[fault][BEGIN:] > limit
    # an alarm counts when it stands for three samples, so that chance is no detection
    stands = np.flatnonzero(alarm[2:] & alarm[1:-1] & alarm[:-2])
    return {
        "rate": float(alarm.mean()),
        "far": float((each[fault][:BEGIN] > limit).mean()),
        "delayMinutes": int(stands[0]) * MINUTES if len(stands) else None,
    }


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _median(values: list[Any]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.median(known)) if known else None


def _as_published(tables: Any, numbers: list[int], easy: list[int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for (name, weight, share), (calm, each) in tables.items():
        limit = _limit(calm)
        rates = {f: float((each[f][BEGIN:] > limit).mean()) for f in numbers}
        row = {
            "far": float(np.mean([(each[f][:BEGIN] > limit).mean() for f in numbers])),
            "rate": float(np.mean(list(rates.values()))),
            "rateWithoutHard": _mean([rates[f] for f in easy]),
            "weight": weight,
            "share": share,
        }
        if name not in found or row["rate"] > found[name]["rate"]:
            found[name] = row
    return found
