"""What tells that a model no longer fits, what does not, and when a new one takes its place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gemel.core.errors import InvalidInput
from gemel.services.contract import Column, Fit, Instance, Job, Notice, Result, Signal
from gemel.services.rul import drift
from gemel.services.rul.kind import KIND
from gemel.services.rul.learning import train
from gemel.services.rul.retrain import retrain
from gemel.services.rul.review import review
from gemel.services.schema import completed

DAY = 86_400 * 1_000_000_000
NAMES = ("heat", "shake", "age", "failed")
GIVEN = {"age": "age", "failed": "failed", "most": 60, "level": "trend"}


def quiet(share: float, what: str) -> None:
    pass


class Fleet:
    """Machines that are renewed after each failure; readings once a day."""

    def __init__(self, machines: int, seed: int = 1) -> None:
        self.random = np.random.default_rng(seed)
        self.rows: list[list[tuple[float, ...]]] = [[] for _ in range(machines)]

    @property
    def days(self) -> int:
        return min(len(rows) for rows in self.rows)

    def live(self, lives: int, *, shift: float = 0.0, faster: float = 1.0) -> None:
        """So many lives more of each; `shift` is in degrees, `faster` shortens wear unseen."""
        for rows in self.rows:
            for _ in range(lives):
                n = int(self.random.integers(60, 110))
                wear = (np.arange(1, n + 1) / n) ** 2
                heat = 50 + 20 * wear + self.random.normal(0, 1.0, n) + shift
                shake = 2 + 3 * wear + self.random.normal(0, 0.3, n)
                keep = round(n / faster)
                for day in range(keep):
                    rows.append((heat[day], shake[day], day + 1.0, float(day == keep - 1)))

    def job(self, fit: Fit | None = None, *, begin: int = 0, **given: Any) -> Job:
        twins = tuple(f"m{i:02}" for i in range(len(self.rows)))
        signals = tuple(Signal(t, p) for t in twins for p in NAMES)
        columns = []
        for rows in self.rows:
            table = np.array(rows)
            days = np.arange(len(rows)) * DAY
            columns += [Column(days, table[:, i]) for i in range(len(NAMES))]
        parameters = completed(KIND.parameters, {**GIVEN, **given.pop("own", {})})
        run = KIND.run(given.pop("run", "train"))
        assert run is not None
        instance = Instance("wear", "rul", twins, parameters, signals)
        end = max(len(rows) for rows in self.rows) * DAY
        return Job(
            instance, completed(run.parameters, given), signals, columns, begin, end, fit=fit
        )


def fitted(fleet: Fleet) -> Fit:
    found = train(fleet.job(), quiet).fit
    assert found is not None
    return found


def reviewed(fleet: Fleet, fit: Fit) -> Result:
    return review(fleet.job(fit, run="review"), quiet)


def raised(found: Result) -> list[Notice]:
    return [notice for notice in found.notices if notice.kind == "raise"]


def test_a_fleet_that_stays_as_it_was_is_left_alone() -> None:
    fleet = Fleet(12)
    fleet.live(3)
    fit = fitted(fleet)
    fleet.live(3)
    found = reviewed(fleet, fit)
    assert found.document["why"] == []
    assert found.document["coverage"]["lives"] >= 24
    assert not raised(found)
    assert {notice.kind for notice in found.notices} == {"clear"}


def test_a_sensor_that_reads_higher_is_named_and_retraining_proposed() -> None:
    fleet = Fleet(12)
    fleet.live(3)
    fit = fitted(fleet)
    fleet.live(2, shift=8.0)
    found = reviewed(fleet, fit)
    assert found.document["drift"]["signals"][0]["property"] == "heat"
    assert found.document["drift"]["score"] > 1
    (notice,) = raised(found)
    assert "heat" in notice.title
    assert notice.details["proposed"] == {"run": "retrain", "service": "wear"}
    series = {one.twin: one for one in found.series}
    assert (series[notice.twin].path, series[notice.twin].provenance) == ("rul.drift", "derived")
    assert series[notice.twin].value[-1] > 1


def test_lives_that_end_early_show_in_the_coverage_before_any_signal() -> None:
    fleet = Fleet(12)
    fleet.live(3)
    fit = fitted(fleet)
    fleet.live(3, faster=1.7)
    held = reviewed(fleet, fit).document["coverage"]
    assert held["holds"] is False
    assert held["coverage"] < 0.7


def test_a_young_fleet_is_not_unlike_an_old_one_for_being_young() -> None:
    random = np.random.default_rng(3)
    lives = [np.linspace(0, 5, n)[:, None] + random.normal(0, 1, (n, 1)) for n in [90] * 30]
    ages = [np.arange(1.0, 91)] * 30
    learnt = drift.learn(lives, ages)
    young = np.stack([learnt.windows(x)[20] for x in lives[:15]])
    own, limit = learnt.judge(young, np.full(15, 21.0))
    assert own[0] < limit[0]
    own, limit = learnt.judge(young, np.full(15, 85.0))
    assert own[0] > limit[0]


def test_few_machines_alarm_no_more_often_than_many() -> None:
    random = np.random.default_rng(4)

    def lives(count: int) -> list[np.ndarray]:
        own = random.normal(0, 0.7, (count, 1, 3))  # machines differ
        return list(own + random.normal(0, 1, (count, 80, 3)))

    ages = [np.arange(1.0, 81)] * 40
    learnt = drift.learn(lives(40), ages)
    for machines in (1, 4, 16):
        alarms = 0
        for _ in range(60):
            looks = np.stack([learnt.windows(x)[60] for x in lives(machines)])
            own, limit = learnt.judge(looks, np.full(machines, 61.0))
            alarms += bool((own > limit).any())
        assert alarms <= 6, machines


def test_a_better_version_is_taken_into_use_and_a_worse_one_kept() -> None:
    fleet = Fleet(12)
    fleet.live(3)
    fit = fitted(fleet)
    fleet.live(3, shift=6.0)
    better = retrain(fleet.job(fit, run="retrain"), quiet)
    assert better.fit is not None
    assert better.fit.adopt is True
    against = better.document["against"]
    assert against["new"]["rmse"] < against["inUse"]["rmse"]
    assert against["gainInterval"][0] > 0
    worse = retrain(fleet.job(better.fit, run="retrain", own={"level": "age"}), quiet)
    assert worse.fit is not None
    assert worse.fit.adopt is False
    assert "needed" in worse.document["why"]  # nothing has failed since


def test_without_a_version_there_is_nothing_to_review() -> None:
    fleet = Fleet(4)
    fleet.live(1)
    with pytest.raises(InvalidInput, match="no version"):
        review(fleet.job(run="review"), quiet)


def test_work_that_is_done_says_which_lives_failed() -> None:
    fleet = Fleet(8)
    fleet.live(3)
    job = fleet.job(own={"failed": ""})
    ends = {  # the first life of each machine was renewed in time
        f"m{i:02}": int(np.flatnonzero(np.array(rows)[:, 3])[0])
        for i, rows in enumerate(fleet.rows)
    }

    def order(twin: str, day: int, title: str, who: str) -> dict[str, Any]:
        at = np.datetime64(day * 86_400, "s").item().isoformat() + "Z"
        return {"id": twin, "twin": twin, "title": title, "createdBy": who, "created": at,
                "finished": at}  # fmt: skip

    all_failed = train(job, quiet).document["failed"]
    in_time = [order(t, d, "Renew", "service:wear") for t, d in ends.items()]
    some = train(replace(job, work=in_time), quiet).document["failed"]
    assert some == all_failed - len(ends)
    repaired = [order("m03", ends["m03"], "Repair after failure", "ada")]
    assert train(replace(job, work=in_time + repaired), quiet).document["failed"] == some + 1
    told = replace(
        job, work=in_time,
        parameters={**job.parameters, "failures": [{"twin": "m03", "time": in_time[3]["created"]}]},
    )  # fmt: skip
    assert train(told, quiet).document["failed"] == some + 1
