"""False alarms that were promised against those seen, and what is found, at limits as learnt.

No limit is chosen here: the run `learn` sets them from normal samples so that `falseAlarms` of such
samples lie above (those of single signals at six deviations at least). Records without faults are
learnt from the first 85 % and judged on the rest; Tennessee Eastman has a run of its own for that.
"""

from __future__ import annotations

import csv
import gzip
from typing import Any

import numpy as np

from gemel.core.batch import F64
from gemel.services.anomaly.kind import LEARN
from gemel.services.anomaly.multivariate import learn_space
from studies import Options, StudyError
from studies._detection import STATISTICS, each_alone, judged_by, shares
from studies.anomaly_skab import TRAIN, files_of
from studies.anomaly_tep import BEGIN, faults_of, table_of

PROMISED = float(LEARN["properties"]["falseAlarms"]["default"])
WEIGHT, SIGMAS, KNOWN = 0.1, 6.0, 0.85


def run(options: Options) -> dict[str, Any]:
    records = _records(options)
    if not records:
        raise StudyError(f"{options.data} holds no record without faults of skab, tep or hvac_fdd")
    found = {name: _seen(*one) for name, one in records.items()}
    return {
        "promised": PROMISED,
        "seen": found,
        "meanSeen": {n: float(np.mean([one[n] for one in found.values()])) for n in STATISTICS},
        "skabFiles": _skab(options),
        "tepFaults": _tep(options),
    }


def _seen(train: F64, test: F64) -> dict[str, float]:
    """The share of samples without faults above each limit."""
    above = _above(train, test)
    found = {name: float(column.mean()) for name, column in above.items()}
    return found | {"any": float(_any(above).mean()), "samples": len(test)}


def _above(train: F64, test: F64) -> dict[str, Any]:
    space = learn_space(train, PROMISED, WEIGHT)
    alone = each_alone(train, WEIGHT, SIGMAS, PROMISED)
    return {n: column > 1.0 for n, column in judged_by(space, alone, test, WEIGHT).items()}


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
    found = {}
    for fault, table in faults_of(folder, options.small).items():
        above = _above(train, table)
        above["any"] = _any(above)
        found[fault] = {n: float(column[BEGIN:].mean()) for n, column in above.items()}
    names = next(iter(found.values()))
    return {"byFault": found} | {
        "rate": {n: float(np.mean([one[n] for one in found.values()])) for n in names}
    }
