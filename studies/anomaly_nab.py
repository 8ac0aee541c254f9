"""NAB, the files at hand: score of the three profiles, without labels, one limit for all files.

All files are signals of one detector, side by side, as the product watches signals. Statistic,
memory, weight, limit and whether episodes count are chosen on all files but the one that is judged,
for each file in turn. NAB itself chooses the limit on the files that it scores: that figure is
`chosenOnItself`. Full-corpus scores of the literature are not of the same files.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from gemel.services.anomaly.statistics import Settings, Statistics
from studies import Options, StudyError
from studies._nab_score import PROFILES, normalised, raw
from studies._tables import Table, object_of

MEMORIES, WEIGHTS = (1_000.0, 10_000.0), (0.05, 0.2)
LIMITS = (2.0, 2.3, 2.6, 3.0, 3.4, 3.8, 4.3, 5.0, 6.0, 8.0, 12.0, 20.0, 40.0)
REST, HIGHER = 0.05, 1.3
WINDOW, STEP = 6_400, 100
PUBLISHED = {  # full corpus: github.com/numenta/NAB, scoreboard
    "ARTime": [74.9, 65.1, 80.4],
    "Numenta HTM": [70.1, 63.1, 74.3],
    "CAD OSE": [69.9, 67.0, 73.2],
    "KNN-CAD": [58.0],
    "Random Cut Forest": [51.7, 38.4, 59.7],
    "Twitter ADVec": [47.1],
    "Windowed Gaussian": [39.6],
}


def run(options: Options) -> dict[str, Any]:
    files = _files(options)
    settings = [(m, w) for m in MEMORIES for w in WEIGHTS]
    scores: dict[Any, list[np.ndarray]] = {}
    for memory, weight in settings[:1] if options.small else settings:
        z, shift = _statistics([v for v, _ in files], memory, weight)
        both = [np.maximum(a, b) for a, b in zip(z, shift, strict=True)]
        for name, found in (("z", z), ("ewma", shift), ("max", both)):
            scores[name, memory, weight] = found
    table = _table(scores, files)
    gaussian = _table({("windowed Gaussian", WINDOW, 0): [_gaussian(v) for v, _ in files]}, files)
    return {
        "files": len(files),
        "rows": sum(len(v) for v, _ in files),
        "windows": sum(len(w) for _, w in files),
        "judgedApart": {profile: _apart(table, len(files), profile) for profile in PROFILES},
        "chosenOnItself": {profile: _itself(table, profile) for profile in PROFILES},
        "windowedGaussianSameFiles": {
            way: {p: _itself({k: v for k, v in gaussian.items() if k[-1] == is_episode}, p)["score"]
                  for p in PROFILES}
            for way, is_episode in (("asPublished", False), ("withEpisodes", True))
        },
        "publishedFullCorpus": PUBLISHED,
    }  # fmt: skip


def _files(options: Options) -> list[tuple[np.ndarray, list[tuple[int, int]]]]:
    folder = options.folder("nab")
    labels = object_of(folder / "windows.json")
    names = sorted(name for name in labels if (folder / name).is_file())
    names = [name for name in names if options.set in ("", name.rpartition("/")[0])]
    if len(names) < 2:
        raise StudyError(f"{folder} holds fewer than two of the files that windows.json names")
    return [_file(folder / name, labels[name]) for name in (names[:6] if options.small else names)]


def sets(options: Options) -> list[str]:
    """The folders of files with labels."""
    folder = options.folder("nab")
    labels = object_of(folder / "windows.json")
    return sorted({name.rpartition("/")[0] for name in labels if (folder / name).is_file()})


def _file(path: Path, labels: Any) -> tuple[np.ndarray, list[tuple[int, int]]]:
    if not isinstance(labels, list) or not all(
        isinstance(pair, list) and [type(moment) for moment in pair] == [str, str]
        for pair in labels
    ):
        raise StudyError(f"windows.json: what it says of {path} is no list of [begin, end]")
    table = Table(path)
    times = np.array([row[0].strip()[:19] for row in table.rows])
    windows = []
    for begin, end in labels:
        inside = np.flatnonzero((times >= begin[:19]) & (times <= end[:19]))
        if len(inside):
            windows.append((int(inside[0]), int(inside[-1])))
    return table.column("value"), windows


def _statistics(values: list[np.ndarray], memory: float, weight: float) -> Any:
    """|z| and |ewma| of every row, all files at once."""
    settings = Settings(weight=weight, memory=memory, warmup=150, sigmas=1.0, clip=6.0)
    state = Statistics(len(values), settings)
    lengths = np.array([len(v) for v in values])
    table = np.zeros((int(lengths.max()), len(values)))
    for k, one in enumerate(values):
        table[: len(one), k] = one
    z, shift = np.zeros_like(table), np.zeros_like(table)
    for i in range(len(table)):
        rows = np.flatnonzero(lengths > i)
        z[i, rows], shift[i, rows] = state.step(rows, table[i, rows])
    return tuple([np.abs(t[:n, k]) for k, n in enumerate(lengths.tolist())] for t in (z, shift))


def _gaussian(value: np.ndarray) -> np.ndarray:
    """NAB's own windowed Gaussian as distance: mean and deviation of the last 6,400 rows."""
    found = np.zeros(len(value))
    for begin in range(STEP, len(value), STEP):
        past = value[max(0, begin - WINDOW) : begin]
        now = slice(begin, begin + STEP)
        found[now] = np.abs(value[now] - past.mean()) / max(past.std(), 1e-6)
    return found


def episodes(score: np.ndarray, limit: float) -> list[int]:
    """The begins of excursions; soon after one only a higher one counts."""
    found: list[int] = []
    rest = REST * len(score)
    last, peak = -np.inf, 0.0
    for at in np.flatnonzero(score >= limit).tolist():
        if at - last > rest or (at - last > 1 and score[at] > HIGHER * peak):
            found.append(at)
            peak = 0.0
        peak, last = max(peak, float(score[at])), at
    return found


def _table(scores: Any, files: Any) -> dict[Any, Any]:
    """By (statistic, memory, weight, limit, with episodes) and profile: the parts of each file."""
    found = {}
    for key, each in scores.items():
        for limit in LIMITS:
            for is_episode in (True, False):
                hits = [
                    episodes(s, limit) if is_episode else np.flatnonzero(s >= limit).tolist()
                    for s in each
                ]
                found[(*key, limit, is_episode)] = {
                    p: [
                        raw(h, len(s), w, p) for h, s, (_, w) in zip(hits, each, files, strict=True)
                    ]
                    for p in PROFILES
                }
    return found


def _best(table: Any, profile: str, rows: Any) -> Any:
    return max(table, key=lambda key: normalised([table[key][profile][i] for i in rows]))


def _words(key: Any) -> dict[str, Any]:
    return dict(zip(("statistic", "memory", "weight", "limit", "episodes"), key, strict=True))


def _apart(table: Any, count: int, profile: str) -> dict[str, Any]:
    sums = {key: np.sum(parts[profile], axis=0) for key, parts in table.items()}
    parts, chosen = [], Counter[Any]()
    for judge in range(count):
        rest = {key: [tuple(sums[key] - table[key][profile][judge])] for key in table}
        best = max(rest, key=lambda key: normalised(rest[key]))
        chosen[best] += 1
        parts.append(table[best][profile][judge])
    often = [_words(key) | {"files": n} for key, n in chosen.most_common(3)]
    return {"score": normalised(parts), "chosenMostOften": often}


def _itself(table: Any, profile: str) -> dict[str, Any]:
    rows = range(len(next(iter(table.values()))[profile]))
    best = _best(table, profile, rows)
    return {"score": normalised(table[best][profile]), **_words(best)}
