"""SKAB pump and valve test bed: F1, false and missed alarms, events at fixed false-alarm rates.

Each file's first 400 rows teach, the rest is judged (the benchmark's split). Statistic, weight and
limit are chosen on all files but the one that is judged, for each in turn; `chosenOnEven` chooses
on every other file and judges the rest, with and without T2 of running means; `chosenOnItself` is
the optimistic figure, as in published tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from studies import Options, StudyError, left_out
from studies._detection import STATISTICS, WEIGHTS, held, judged, shares
from studies._tables import Table

TRAIN = 400
LIMITS = np.geomspace(0.3, 60, 60)
RATES = (0.01, 0.05, 0.10, 0.20)
HELD = 10
PUBLISHED = {  # github.com/waico/SKAB, outlier table, 34 files
    "Conv-AE": {"f1": 0.78, "far": 0.136, "mar": 0.280},
    "MSET": {"f1": 0.78, "far": 0.397, "mar": 0.141},
    "T2+Q (PCA)": {"f1": 0.76},
    "Isolation forest": {"f1": 0.29},
}


def run(options: Options) -> dict[str, Any]:
    files = files_of(options)
    weights = WEIGHTS[1:3] if options.small else WEIGHTS
    tables = {w: [judged(x[:TRAIN], x[TRAIN:], w) for x, _ in files] for w in weights}
    truth = [y[TRAIN:] for _, y in files]
    alarms, chosen = {}, Counter[Any]()
    for tune, judge in left_out(len(files)):
        best = _choose(tables, truth, tune)
        chosen[best[:3]] += 1
        alarms[judge] = tables[best[1]][judge][best[0]] > best[2]
    pooled = np.concatenate([alarms[i] for i in range(len(files))])
    whole = np.concatenate(truth)
    best = _choose(tables, truth, range(len(files)))
    optimistic = np.concatenate([t[best[0]] > best[2] for t in tables[best[1]]])
    return {
        "files": len(files),
        "rows": len(whole),
        "events": sum(len(_events(y)) for y in truth),
        "judgedApart": shares(pooled, whole)
        | _delays([alarms[i] for i in range(len(files))], truth),
        "chosenMostOften": [
            {"statistic": n, "weight": w, "limit": limit, "files": count}
            for (n, w, limit), count in chosen.most_common(3)
        ],
        "chosenOnEven": {
            "all": _half(tables, truth, STATISTICS),
            "withoutT2Ewma": _half(tables, truth, [n for n in STATISTICS if n != "t2-ewma"]),
        },
        "chosenOnItself": shares(optimistic, whole)
        | {"statistic": best[0], "weight": best[1], "limit": best[2]},
        "alwaysAnomalous": shares(np.ones(len(whole), bool), whole),
        "atFixedFalseAlarms": {str(rate): _fixed(tables, truth, rate) for rate in RATES},
        "published": PUBLISHED,
    }


def sets(options: Options) -> list[str]:
    """The folders that hold experiments."""
    return sorted({path.parent.name for path in _paths(options)})


def _paths(options: Options) -> list[Path]:
    folder = options.folder("skab")
    found = [p for p in folder.rglob("*.csv*") if p.is_file() and "anomaly-free" not in p.parts]

    def order(path: Path) -> tuple[str, int, str]:
        name = path.name.split(".")[0]
        return path.parent.name, int(name) if name.isdigit() else 0, name

    return sorted(found, key=order)


def files_of(options: Options) -> list[tuple[np.ndarray, np.ndarray]]:
    found = [p for p in _paths(options) if options.set in ("", p.parent.name)]
    if len(found) < 2:
        raise StudyError(
            f"{options.folder('skab')} holds fewer than two experiments (folders of *.csv)"
        )
    return [experiment_of(p) for p in (found[:4] if options.small else found)]


def experiment_of(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The signals of an experiment by the second, and when it was not as usual."""
    table = Table(path, ";")
    if len(table.rows) <= TRAIN:
        raise StudyError(
            f"{path} has {len(table.rows)} rows: the first {TRAIN} teach, the others are judged"
        )
    return table.block(range(1, table.place("anomaly"))), table.column("anomaly") > 0


def _half(tables: Any, truth: Any, names: Iterable[str]) -> dict[str, Any]:
    """Chosen on the files with an even number, judged on the others."""
    name, weight, limit, _ = _choose(tables, truth, range(0, len(truth), 2), names)
    judge = range(1, len(truth), 2)
    alarms = [tables[weight][i][name] > limit for i in judge]
    labels = [truth[i] for i in judge]
    return (
        {"statistic": name, "weight": weight, "limit": limit}
        | shares(np.concatenate(alarms), np.concatenate(labels))
        | _delays(alarms, labels)
    )


def _choose(
    tables: Any, truth: Any, rows: Any, names: Iterable[str] = STATISTICS
) -> tuple[str, float, float, float]:
    """Statistic, weight, limit and F1 of the best on these files."""
    found = []
    whole = np.concatenate([truth[i] for i in rows])
    for weight, table in tables.items():
        for name in names:
            score = np.concatenate([table[i][name] for i in rows])
            for limit in LIMITS:
                found.append((shares(score > limit, whole)["f1"], name, weight, float(limit)))
    f1, name, weight, limit = max(found)
    return name, weight, limit, f1


def _events(truth: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], truth.astype(int), [0]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _delays(alarms: list[np.ndarray], truth: list[np.ndarray]) -> dict[str, Any]:
    delays = []
    for alarm, labels in zip(alarms, truth, strict=True):
        for begin, end in _events(labels):
            hit = np.flatnonzero(alarm[begin:end])
            if len(hit):
                delays.append(int(hit[0]))
    return {"eventsFound": len(delays), "medianDelay": float(np.median(delays)) if delays else None}


def _fixed(tables: Any, truth: Any, rate: float) -> dict[str, Any]:
    """Events found, held for 10 rows, at a limit set on the other files' normal rows."""
    found: dict[str, Any] = {}
    for name in STATISTICS:
        weight = 0.1 if 0.1 in tables else next(iter(tables))
        table = tables[weight]
        hits, false, normal = 0, 0, 0
        for tune, i in left_out(len(truth)):
            calm = np.concatenate([table[i][name][~truth[i]] for i in tune])
            limit = np.quantile(calm, 1 - rate)
            alarm = table[i][name] > limit
            false += int((alarm & ~truth[i]).sum())
            normal += int((~truth[i]).sum())
            stands = held(alarm, HELD)
            hits += sum(bool(stands[a:b].any()) for a, b in _events(truth[i]))
        found[name] = {"eventsFound": hits, "farThen": false / max(normal, 1)}
    return found
