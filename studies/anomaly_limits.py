"""False alarms that were promised against those seen, and what is found, at limits as learnt.

No limit is chosen here: the run `learn` sets them from normal samples so that `falseAlarms` of such
samples lie above (those of single signals at six deviations at least). Records without faults are
learnt from the first 85 % and judged on the rest; Tennessee Eastman has a run of its own for that.
Published rates of detection are at 1 % false alarms, so its faults are judged twice: at the limits
as learnt, and with each limit moved until 1 % of the normal test run lies above it.
`alone` judges the records' signals one by one as the detector does before anything was learnt: the
alarms that it raises, against those that its `apart` promises.
"""

from __future__ import annotations

import csv
import gzip
from typing import Any

import numpy as np

from gemel.core.batch import F64
from gemel.core.clock import SECOND
from gemel.services.anomaly.kind import LEARN
from gemel.services.anomaly.multivariate import learn_space
from studies import Options, StudyError
from studies._detection import (
    STATISTICS,
    WARMUP,
    alarms,
    each_alone,
    judged_by,
    promised,
    shares,
)
from studies.anomaly_skab import TRAIN, files_of
from studies.anomaly_tep import BEGIN, faults_of, table_of

PROMISED = float(LEARN["properties"]["falseAlarms"]["default"])
WEIGHT, SIGMAS, KNOWN = 0.1, 6.0, 0.85
SECONDS = {"skab": 1.0, "tep": 180.0, "hvac": 60.0}
"""From one row of a record to the next."""
EQUAL = 0.01
"""The share of false alarms at which detectors are compared."""
FIVE = (8, 10, 11, 14, 19)
"""The faults of which the mark is."""


def run(options: Options) -> dict[str, Any]:
    records = _records(options)
    if not records:
        raise StudyError(f"{options.data} holds no record without faults of skab, tep or hvac_fdd")
    found = {name: _seen(*one) for name, one in records.items()}
    return {
        "promised": PROMISED,
        "seen": found,
        "meanSeen": {n: float(np.mean([one[n] for one in found.values()])) for n in STATISTICS},
        "alone": {name: _alone(np.vstack(one), SECONDS[name]) for name, one in records.items()},
        "skabFiles": _skab(options),
        "tepFaults": _tep(options),
    }


def _seen(train: F64, test: F64) -> dict[str, float]:
    """The share of samples without faults above each limit."""
    above = _above(train, test)
    found = {name: float(column.mean()) for name, column in above.items()}
    return found | {"any": float(_any(above).mean()), "samples": len(test)}


def _alone(table: F64, sample: float) -> dict[str, float]:
    """Alarms of single signals of which nothing was learnt, where nothing happened."""
    time = (1_700_000_000 + np.arange(len(table)) * sample) * SECOND
    each = alarms([(time.astype(np.int64), column.copy()) for column in table.T], sample)
    most = promised(len(table) - WARMUP, sample)
    return {
        "signals": len(each),
        "samples": len(table),
        "seen": sum(map(len, each)),
        "promised": most * len(each),
        "signalsWithin": sum(len(rows) <= max(most, 1) for rows in each),
    }


def _above(train: F64, test: F64) -> dict[str, Any]:
    return {name: column > 1.0 for name, column in _in_limits(train, test).items()}


def _in_limits(train: F64, test: F64) -> dict[str, F64]:
    """Every statistic of each sample, in units of its limit as learnt."""
    space = learn_space(train, PROMISED, WEIGHT)
    return judged_by(space, each_alone(train, WEIGHT, SIGMAS, PROMISED), test, WEIGHT)


def _any(above: dict[str, Any]) -> Any:
    return np.any(list(above.values()), axis=0)


def _records(options: Options) -> dict[str, tuple[F64, F64]]:
    found: dict[str, tuple[F64, F64]] = {}
    skab = options.beside("skab", "anomaly-free/anomaly-free.csv.gz")
    if skab:
        found["skab"] = _cut(_numbers(skab, ";", 1)[0])
    tep = options.beside("tep", "d00_te.dat.gz")
    if tep:
        found["tep"] = table_of(tep.with_name("d00.dat.gz")), table_of(tep)
    handler = options.beside("hvac_fdd", "MZVAV-2-1.csv.gz")
    if handler:
        rows, _ = _numbers(handler, ",", 1)
        calm = rows[rows[:, -1] == 0, :-1]
        found["hvac"] = _cut(calm[:, np.ptp(calm[: round(len(calm) * KNOWN)], axis=0) > 0])
    return found


def _numbers(path: Any, delimiter: str, first: int) -> tuple[F64, list[str]]:
    """Rows of numbers; those with a cell that is none are left out."""
    with gzip.open(path, "rt", encoding="utf-8-sig") as lines:
        head, *rows = csv.reader(lines, delimiter=delimiter)
    found = []
    for row in rows:
        try:
            found.append([float(v) for v in row[first:]])
        except ValueError:
            continue
    return np.array(found), head[first:]


def _cut(table: F64) -> tuple[F64, F64]:
    at = round(len(table) * KNOWN)
    return table[:at], table[at:]


def _skab(options: Options) -> dict[str, Any]:
    """Each file's first 400 rows teach; what lies above the limits in the rest."""
    files = files_of(options)
    truth = [y[TRAIN:] for _, y in files]
    each = [_above(x[:TRAIN], x[TRAIN:]) for x, _ in files]

    def half(rows: list[int]) -> dict[str, Any]:
        labels = np.concatenate([truth[i] for i in rows])
        alarms = {n: np.concatenate([each[i][n] for i in rows]) for n in STATISTICS}
        return {n: shares(a, labels) for n, a in (alarms | {"any": _any(alarms)}).items()}

    whole = list(range(len(files)))
    return {"all": half(whole), "even": half(whole[::2]), "odd": half(whole[1::2])}


def _tep(options: Options) -> dict[str, Any]:
    folder = options.folder("tep")
    train = table_of(folder / "d00.dat.gz")
    calm = _in_limits(train, table_of(folder / "d00_te.dat.gz"))
    faults = {
        fault: _in_limits(train, table) for fault, table in faults_of(folder, options.small).items()
    }
    alike = {name: _limit(column) for name, column in calm.items()}
    calm = _with_any(calm, alike)
    faults = {fault: _with_any(columns, alike) for fault, columns in faults.items()}
    moved = {name: _limit(column) for name, column in calm.items()}
    as_learnt = dict.fromkeys([*STATISTICS, "any"], 1.0)
    return _found(calm, faults, as_learnt) | {
        "atOnePercent": _found(calm, faults, moved) | {"limits": moved}
    }


def _limit(column: F64) -> float:
    return float(np.quantile(column, 1 - EQUAL))


def _with_any(columns: dict[str, F64], alike: dict[str, float]) -> dict[str, F64]:
    """And the one that is furthest above its limit: as learnt, and with as many alarms of each."""
    even = [column / alike[name] for name, column in columns.items()]
    highest = np.max(list(columns.values()), axis=0)
    return columns | {"any": highest, "anyAlike": np.max(even, axis=0)}


def _found(
    calm: dict[str, F64], faults: dict[int, dict[str, F64]], limits: dict[str, float]
) -> dict[str, Any]:
    """Shares above a limit: of each fault, of all and the five, and where there was none."""
    each = {
        fault: {n: float((columns[n][BEGIN:] > limit).mean()) for n, limit in limits.items()}
        for fault, columns in faults.items()
    }
    before = [
        {n: float((columns[n][:BEGIN] > limit).mean()) for n, limit in limits.items()}
        for columns in faults.values()
    ]
    return {
        "byFault": each,
        "rate": _means(list(each.values())),
        "rateOfFive": _means([each[fault] for fault in FIVE if fault in each]),
        "farOfNormalRun": {n: float((calm[n] > limit).mean()) for n, limit in limits.items()},
        "farBeforeFaults": _means(before),
    }


def _means(rows: list[dict[str, float]]) -> dict[str, float]:
    return {n: float(np.mean([one[n] for one in rows])) for n in (rows[0] if rows else ())}
