"""NAB, the files at hand: score of the three profiles, without labels, one setting for all files.

Every file is a signal of the product's detector, which learns as it goes; `sample` is the file's
usual interval, everything else as it ships. `asShipped` is that, no label seen. `judgedApart` moves
one parameter, the time `apart` of false alarms, chosen on all files but the one that is judged, for
each in turn; `chosenOnItself` chooses it on the files it scores, as NAB itself does. Files in even
places were those on which the form was found. Scores of the literature are of the full corpus.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from studies import Options, StudyError, left_out
from studies._detection import APART as SHIPPED
from studies._detection import alarms, promised
from studies._nab_score import PROFILES, normalised, probation, raw
from studies._tables import Table, object_of, time_of

DAY = 86_400.0
APART = tuple(days * DAY for days in (3, 5, 7, 14))
WINDOW, STEP = 6_400, 100
LIMITS = (2.0, 2.3, 2.6, 3.0, 3.4, 3.8, 4.3, 5.0, 6.0, 8.0, 12.0, 20.0, 40.0)
REST, HIGHER = 0.05, 1.3
PUBLISHED = {  # full corpus: github.com/numenta/NAB, scoreboard
    "ARTime": [74.9, 65.1, 80.4],
    "Numenta HTM": [70.1, 63.1, 74.3],
    "CAD OSE": [69.9, 67.0, 73.2],
    "KNN-CAD": [58.0],
    "Random Cut Forest": [51.7, 38.4, 59.7],
    "Twitter ADVec": [47.1],
    "Windowed Gaussian": [39.6],
}
Parts = dict[str, list[tuple[float, float, float]]]
"""By profile, those of each file."""


@dataclass(frozen=True)
class Record:
    name: str
    time: I64
    value: F64
    windows: list[tuple[int, int]]

    @property
    def interval(self) -> float:
        """Seconds from one row to the next, usually."""
        return min(max(float(np.median(np.diff(self.time))) / SECOND, 0.001), DAY)


def run(options: Options) -> dict[str, Any]:
    records = _records(options)
    every = APART[:2] if options.small else APART
    raised = {apart: _alarms(records, apart) for apart in sorted({SHIPPED, *every})}
    table = {apart: _parts(records, found) for apart, found in raised.items()}
    shipped = table[SHIPPED]
    whole = list(range(len(records)))
    return {
        "files": len(records),
        "rows": sum(len(one.value) for one in records),
        "windows": sum(len(one.windows) for one in records),
        "asShipped": _scores(shipped, whole)
        | {"evenFiles": _scores(shipped, whole[::2]), "oddFiles": _scores(shipped, whole[1::2])},
        "judgedApart": {profile: _apart(table, len(records), profile) for profile in PROFILES},
        "chosenOnItself": {profile: _itself(table, profile) for profile in PROFILES},
        "falseAlarms": _promise(records, raised[SHIPPED]),
        "byFile": [
            {"file": one.name, "alarms": len(rows), "standard": part[0] - part[1],
             "best": part[2] - part[1]}
            for one, rows, part in zip(
                records, raised[SHIPPED], shipped["standard"], strict=True
            )
        ],
        "windowedGaussianSameFiles": _windowed_gaussian(records),
        "publishedFullCorpus": PUBLISHED,
    }  # fmt: skip


def _records(options: Options) -> list[Record]:
    folder = options.folder("nab")
    labels = object_of(folder / "windows.json")
    names = sorted(name for name in labels if (folder / name).is_file())
    names = [name for name in names if options.set in ("", name.rpartition("/")[0])]
    if len(names) < 2:
        raise StudyError(f"{folder} holds fewer than two of the files that windows.json names")
    return [_record(folder, name, labels[name]) for name in (names[:6] if options.small else names)]


def sets(options: Options) -> list[str]:
    """The folders of files with labels."""
    folder = options.folder("nab")
    labels = object_of(folder / "windows.json")
    return sorted({name.rpartition("/")[0] for name in labels if (folder / name).is_file()})


def _record(folder: Path, name: str, labels: Any) -> Record:
    where = folder / "windows.json"
    if not isinstance(labels, list) or not all(
        isinstance(pair, list) and [type(moment) for moment in pair] == [str, str]
        for pair in labels
    ):
        raise StudyError(f"{where}: what it says of {name} is no list of [begin, end]")
    table = Table(folder / name)
    at = table.place("timestamp")
    moments = [(row[at].strip(), n) for n, row in zip(table.lines, table.rows, strict=True)]
    time = np.array([time_of(moment, table.file, n) for moment, n in moments])
    if len(time) < 2:
        raise StudyError(f"{table.file} has fewer than two rows")
    windows = []
    for pair in labels:
        begin, end = (time_of(moment, where, None) for moment in pair)
        inside = np.flatnonzero((time >= begin) & (time <= end))
        if len(inside):
            windows.append((int(inside[0]), int(inside[-1])))
    return Record(name, time, table.column("value"), windows)


def _alarms(records: list[Record], apart: float) -> list[list[int]]:
    """The rows of each file at which the detector raises; those of one interval side by side."""
    found: list[list[int]] = [[] for _ in records]
    for interval in {one.interval for one in records}:
        mine = [k for k, one in enumerate(records) if one.interval == interval]
        each = alarms([(records[k].time, records[k].value) for k in mine], interval, apart)
        for k, rows in zip(mine, each, strict=True):
            found[k] = rows
    return found


def _parts(records: list[Record], alarms: list[list[int]]) -> Parts:
    return {
        profile: [
            raw(rows, len(one.value), one.windows, profile)
            for one, rows in zip(records, alarms, strict=True)
        ]
        for profile in PROFILES
    }


def _scores(parts: Parts, files: list[int]) -> dict[str, Any]:
    return {profile: normalised([each[k] for k in files]) for profile, each in parts.items()}


def _apart(table: dict[float, Parts], count: int, profile: str) -> dict[str, Any]:
    parts, chosen = [], Counter[float]()
    for others, judge in left_out(count):
        best = _best(table, profile, others)
        chosen[best] += 1
        parts.append(table[best][profile][judge])
    return {
        "score": normalised(parts),
        "chosen": [{"days": apart / DAY, "files": n} for apart, n in chosen.most_common()],
    }


def _itself(table: dict[float, Parts], profile: str) -> dict[str, Any]:
    best = _best(table, profile, list(range(len(table[SHIPPED][profile]))))
    return {"score": normalised(table[best][profile]), "days": best / DAY}


def _best(table: dict[Any, Parts], profile: str, files: list[int]) -> Any:
    return max(table, key=lambda key: normalised([table[key][profile][k] for k in files]))


def _promise(records: list[Record], raised: list[list[int]]) -> dict[str, Any]:
    """Alarms outside windows and after probation, against those that `apart` promises."""
    seen, most = [], []
    for one, rows in zip(records, raised, strict=True):
        is_calm = np.arange(len(one.value)) >= probation(len(one.value))
        for begin, end in one.windows:
            is_calm[begin : end + 1] = False
        seen.append(int(is_calm[rows].sum()))
        most.append(promised(float(is_calm.sum()), one.interval))
    without = [k for k, one in enumerate(records) if not one.windows]
    return {
        "seen": sum(seen),
        "promised": sum(most),
        "filesWithin": sum(a <= b for a, b in zip(seen, most, strict=True)),
        "filesWithoutWindows": {
            "files": len(without),
            "seen": sum(seen[k] for k in without),
            "promised": sum(most[k] for k in without),
        },
    }


# ---- the baseline --------------------------------------------------------------------------------


def _windowed_gaussian(records: list[Record]) -> dict[str, Any]:
    """NAB's own, its limit chosen on the files that it scores."""
    distances = [_gaussian(one.value) for one in records]
    found = {}
    for way, is_episode in (("asPublished", False), ("withEpisodes", True)):
        table = {
            limit: _parts(
                records,
                [
                    episodes(d, limit) if is_episode else np.flatnonzero(d >= limit).tolist()
                    for d in distances
                ],
            )
            for limit in LIMITS
        }
        whole = list(range(len(records)))
        found[way] = {p: _scores(table[_best(table, p, whole)], whole)[p] for p in PROFILES}
    return found


def _gaussian(value: F64) -> F64:
    """Distance by mean and deviation of the last 6,400 rows."""
    found = np.zeros(len(value))
    for begin in range(STEP, len(value), STEP):
        past = value[max(0, begin - WINDOW) : begin]
        now = slice(begin, begin + STEP)
        found[now] = np.abs(value[now] - past.mean()) / max(past.std(), 1e-6)
    return found


def episodes(score: F64, limit: float) -> list[int]:
    """The begins of excursions; for 5 % of the file after one only a higher one counts."""
    found: list[int] = []
    rest = REST * len(score)
    last, peak = -np.inf, 0.0
    for at in np.flatnonzero(score >= limit).tolist():
        if at - last > rest or (at - last > 1 and score[at] > HIGHER * peak):
            found.append(at)
            peak = 0.0
        peak, last = max(peak, float(score[at])), at
    return found
