"""Strike after strike, each on a copy of its own of a folder that was made once."""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from damage.asked import Answers, compared
from damage.judging import BROKEN, VERDICTS, check, judge, means_the_same, serve
from damage.made import Made, make
from damage.striking import KINDS, strike

CUTS = 0.25
"""Of the strokes so many cut a file short; the others flip a bit of it."""


class Result(NamedTuple):
    stroke: str
    kind: str
    is_cut: bool
    verdict: str
    is_refused: bool
    said: list[str]


def trial(folder: Path, rounds: int, seed: int) -> Iterator[dict[str, Any]]:
    """A row for each kind of file, then one of all."""
    chance = random.Random(seed)
    made = make(folder)
    before = {path: undamaged(path, made, folder) for path in (made.stopped, made.killed)}
    results = []
    for number in range(1, rounds + 1):
        source = chance.choice((made.stopped, made.killed))
        results.append(one(source, made, before[source], chance, folder / "struck"))
        found = results[-1]
        if found.verdict not in ("found", "harmless"):
            print(f"{found.verdict}: {found.stroke} {found.said}", file=sys.stderr, flush=True)
        if number % 20 == 0:
            print(f"{number} rounds", file=sys.stderr, flush=True)
    by_kind = defaultdict(list)
    for found in results:
        by_kind[found.kind].append(found)
    yield from (row(kind, by_kind[kind]) for kind in KINDS if kind in by_kind)
    yield {**row("all", results), "seed": seed}


def undamaged(source: Path, made: Made, folder: Path) -> Answers:
    """What a server says of a folder that nothing was done to; it must be the same again."""
    twice = []
    for _ in range(2):
        copy = shutil.copytree(source, folder / "whole")
        found = serve(copy, made)
        if not found.started or found.died:
            raise AssertionError(f"no server runs on the folder itself: {found.died} {found.said}")
        twice.append(found.answers)
        shutil.rmtree(copy)
    for place, answer in twice[0].items():
        if answer != twice[1].get(place):
            raise AssertionError(
                f"{place} is not the same when asked again: {answer} {twice[1].get(place)}"
            )
    return twice[0]


def one(source: Path, made: Made, before: Answers, chance: random.Random, copy: Path) -> Result:
    shutil.copytree(source, copy)
    try:
        stroke = strike(copy, chance, CUTS)
        stroke(copy)
        same = means_the_same(source, copy, stroke.file)
        checked = check(copy)
        served = serve(copy, made)
        less, other = compared(before, served.answers) if served.started else ([], [])
        verdict = judge(stroke, checked, served, (less, other), same)
        said = [json.dumps(one) for one in checked.damage + checked.notes]
        said += [f"less: {less}", f"other: {other}"]
        said += [checked.trace, served.died, served.said[-500:]] if verdict in BROKEN else []
        return Result(str(stroke), stroke.kind, stroke.is_cut, verdict, not served.started, said)
    finally:
        shutil.rmtree(copy)
        copy.with_name(f"{copy.name}-stderr.txt").unlink(missing_ok=True)


def row(name: str, results: list[Result]) -> dict[str, Any]:
    counted = Counter(one.verdict for one in results)
    flips = [one for one in results if not one.is_cut]
    return {
        "name": name,
        "flips": len(flips),
        "cuts": len(results) - len(flips),
        **{verdict.replace(" ", "_"): counted[verdict] for verdict in VERDICTS},
        "refused": sum(one.is_refused for one in results),
        "not_found_flips": sum(one.verdict == "not found" for one in flips),
    }


def is_broken(rows: list[dict[str, Any]]) -> bool:
    return any(rows[-1][verdict.replace(" ", "_")] for verdict in BROKEN)
