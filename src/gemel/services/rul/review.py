"""The run `review`: does the version in use still hold.

A model is wrong without a sound. Two things tell: its inputs are no longer like those that it has
learnt from (`drift`), and its intervals do not hold the ends of the machines that have failed since
it was made. The second is proof, but comes late; the first comes early, but is only a hint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64
from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.contract import Fit, Job, Notice, Progress, Result, Series
from gemel.services.rul import drift
from gemel.services.rul.learning import (
    LEAST_CYCLES,
    LEAST_LIVES,
    Settings,
    Table,
    features_of,
    judged,
    passes,
    places_of,
    scaled_of,
)
from gemel.services.rul.lives import Life, Paths, lives_of, paths_of, width_of
from gemel.services.rul.model import Model, model_of
from gemel.services.rul.recorded import ends_of, labelled

DRIFT = "rul.drift"
MOST_BATCHES = 60


@dataclass(frozen=True, slots=True)
class Batch:
    """All machines in one stretch of cycles.

    Shapes: values (machines, k, BINS), age (machines,).
    """

    end: int
    """The number of its last cycle."""
    twins: tuple[str, ...]
    values: F64
    age: F64


def review(job: Job, progress: Progress) -> Result:
    """How the version in use fares since it was made, and whether to learn anew.

    Raises:
        InvalidInput: there is no version, or it reads what is no longer there.
    """
    if job.fit is None:
        raise InvalidInput("there is no version to review", hint="start the run 'train' first")
    parameters = job.instance.parameters
    model, width = model_of(job.fit.document, job.fit.arrays), width_of(parameters)
    paths = paths_of(job.signals, parameters)
    problem = unreadable(model, paths)
    if problem:
        raise InvalidInput(problem, hint="start the run 'retrain'")
    progress(0.05, "cutting history into lives")
    lives = labelled(lives_of(job.signals, job.columns, paths, width), ends_of(job), width)
    since = job.fit.end // width
    progress(0.4, "holding inputs against those that were learnt from")
    found = batches(model, lives, paths, since, int(job.parameters["batch"]))
    shift, series = shifts(model, found, width)
    progress(0.7, "holding intervals against what has failed since")
    held = coverage(model, unseen(lives, since), paths, job.fit)
    why = reasons(shift, held)
    document: Json = {
        "since": to_iso(job.fit.end),
        "drift": shift,
        "coverage": held,
        "retrain": bool(why),
        "why": why,
    }
    return Result(document, series=series, notices=_notices(job, document, found, lives, since))


def unreadable(model: Model, paths: Paths) -> str:
    """Why a model cannot be given lives with these signals; "" where it can."""
    gone = sorted({*model.paths} - {*paths.values})
    if gone:
        return f"the version in use reads {', '.join(gone)}, which is not there any more"
    if model.settings != paths.settings:
        return "the version in use was learnt under other conditions"
    return ""


def unseen(lives: Sequence[Life], since: int) -> list[Life]:
    """Lives that have failed since a version was made."""
    return [x for x in lives if x.has_failed and x.span >= since and len(x) >= LEAST_CYCLES]


def batches(
    model: Model, lives: Sequence[Life], paths: Paths, since: int, length: int
) -> list[Batch]:
    """The windows of all machines at the end of each stretch of so many cycles since then."""
    if model.learnt is None:
        return []
    keep = places_of(model, paths)
    mine = [x for x in lives if x.span > since]
    looks = [model.learnt.windows(scaled_of(model, x, keep)) for x in mine]
    newest = max((x.span for x in mine), default=since)
    found = []
    for end in range(since + length, newest + 1, length)[-MOST_BATCHES:]:
        rows = []
        for place, life in enumerate(mine):
            row = int(np.searchsorted(life.numbers, end, side="right")) - 1
            if row + 1 >= drift.LEAST_CYCLES and life.numbers[row] > end - length:
                rows.append((place, row))
        if rows:
            twins = tuple(mine[i].twin for i, _ in rows)
            values = np.stack([looks[i][row] for i, row in rows])
            age = np.array([mine[i].age[row] for i, row in rows])
            found.append(Batch(end, twins, values, age))
    return found


def shifts(model: Model, found: Sequence[Batch], width: int) -> tuple[Json, list[Series]]:
    """What has shifted in the latest batch and before; and of each twin, as a series."""
    learnt = model.learnt
    if learnt is None or not found:
        why = "no whole batch of cycles since the version was made"
        if learnt is None:
            why = "the version was made before inputs were kept: train anew"
        return {"score": None, "signals": [], "batches": [], "note": why}, []
    rows: list[Json] = []
    alone: dict[str, list[tuple[int, float]]] = {}
    for batch in found:
        said = drift.document(model.paths, learnt.judge(batch.values, batch.age))
        time = (batch.end + 1) * width
        rows.append({"to": to_iso(time), "machines": len(batch.twins), **said})
        for i, twin in enumerate(batch.twins):
            own = learnt.judge(batch.values[i : i + 1], batch.age[i : i + 1])
            alone.setdefault(twin, []).append((time, float((own[0] / own[1]).max())))
    series = [
        Series(twin, DRIFT, "derived", np.array([t for t, _ in x]), np.array([v for _, v in x]))
        for twin, x in alone.items()
    ]
    return {**rows[-1], "batches": rows, "note": ""}, series


def coverage(model: Model, lives: Sequence[Life], paths: Paths, fit: Fit) -> Json:
    """How often the version's intervals held what was true, and how far its median was off."""
    if not lives:
        return {"lives": 0, "meant": Settings().share, "rmseLearnt": fit.scores.get("rmse")}
    settings, table = _settings(model), table_of(model, lives, paths)
    scores = judged(*model.predict(table.rows), table, settings)
    return {
        **scores,
        "meant": settings.share,
        "rmseLearnt": fit.scores.get("rmse"),
        "holds": len(lives) < LEAST_LIVES or passes(scores, settings),
    }


def _settings(model: Model) -> Settings:
    return Settings(model.level, model.most)


def table_of(model: Model, lives: Sequence[Life], paths: Paths) -> Table:
    """Every cycle of lives that have failed, as the model reads it."""
    keep = places_of(model, paths)
    return Table(
        np.concatenate([features_of(model, x, keep) for x in lives]),
        np.concatenate([np.arange(len(x), dtype=np.float64)[::-1] for x in lives]),
        np.repeat(np.arange(len(lives)), [len(x) for x in lives]),
    )


def reasons(shift: Json, held: Json) -> list[str]:
    """Why to learn anew; none where the version holds."""
    found = []
    if shift["score"] is not None and shift["score"] > 1:
        first = shift["signals"][0]
        found.append(
            f"{first['property']} is unlike what was learnt from: index {first['index']:.2f}, "
            f"by chance at most {first['limit']:.2f}"
        )
    if not held.get("holds", True):
        found.append(
            f"intervals held {held['coverage']:.2f} of what was true in {held['lives']} lives that "
            f"have failed since; {held['meant']:g} is meant"
        )
    return found


def _notices(
    job: Job, document: Json, found: Sequence[Batch], lives: Sequence[Life], since: int
) -> list[Notice]:
    """One alarm, at the twin that is furthest off; it ends at all others."""
    worst, value = "", document["drift"]["score"] or 0.0
    if document["retrain"]:
        worst = _worst(job, found, unseen(lives, since))
    notices = [Notice(t, "clear", job.end, value) for t in job.instance.twins if t != worst]
    if not worst:
        return notices
    why = "; ".join(document["why"])
    details: Json = {
        "service": job.instance.id,
        "why": document["why"],
        "drift": {k: v for k, v in document["drift"].items() if k != "batches"},
        "coverage": document["coverage"],
        "proposed": {"run": "retrain", "service": job.instance.id},
        "work": {
            "title": f"Learn '{job.instance.id}' anew",
            "description": f"{why}. gemel run start retrain --service {job.instance.id} --wait",
        },
    }
    raised = Notice(worst, "raise", job.end, value, "Its model no longer fits: " + why, details)
    return [*notices, raised]


def _worst(job: Job, found: Sequence[Batch], failed: Sequence[Life]) -> str:
    assert job.fit is not None
    learnt = model_of(job.fit.document, job.fit.arrays).learnt
    if learnt is None or not found:
        return failed[-1].twin
    last = found[-1]
    score = [
        float(np.divide(*learnt.judge(last.values[i : i + 1], last.age[i : i + 1])).max())
        for i in range(len(last.twins))
    ]
    return last.twins[int(np.argmax(score))]
