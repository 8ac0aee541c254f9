"""Fleets of machines that wear, fail and are renewed: lives, faults of sensors, crews, policies.

A day is the unit. A machine that runs sends its readings of the day; at the end of the day a policy
may order its renewal. Parts take some days; then the crew renews it when it is free, failures
first. A machine that fails before waits for the crew, and its repair takes longer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from gemel.services.rul.lives import Life, Paths

SETTINGS = ("op1", "op2", "op3")
SUDDEN, FAULTY = 0.1, 0.1
KINDS = ("stuck", "bias", "dropout")
NEVER = 1 << 40


@dataclass(frozen=True)
class Work:
    """What renewals take, in days."""

    repair: int = 3
    planned: int = 1
    lead: int = 14
    machines: int = 10
    horizon: int = 2_000


@dataclass(frozen=True)
class Trouble:
    """What no prediction of wear can see: shares of lives and of machines."""

    sudden: float = SUDDEN
    faulty: float = FAULTY


@dataclass(frozen=True)
class Part:
    """One life of one machine, as it is in one fleet. It fails at the end of its last day."""

    life: Life
    is_sudden: bool
    key: tuple[int, ...]
    """The same key is the same life: what is known of it may be kept."""
    worn: int = 0
    """The age at which it would have failed by wear; a sudden failure comes before."""

    def __len__(self) -> int:
        return len(self.life)


@dataclass(frozen=True)
class Job:
    machine: int
    day: int
    is_failure: bool
    age: int


@dataclass
class Outcome:
    down: int = 0
    jobs: list[Job] = field(default_factory=list)
    wasted: list[int] = field(default_factory=list)
    early: list[int] = field(default_factory=list)
    """Days from the order to the failure that would have come."""

    @property
    def failures(self) -> int:
        return sum(job.is_failure for job in self.jobs)


Trigger = Callable[[Part], int | tuple[int, int]]
"""The age at the end of whose day parts are ordered; `NEVER` for none. A second: that after whose
day the crew renews, if they are there; else as soon as they are."""
Draw = Callable[[int, int], Part]
"""(machine, number of its life) -> that life; the same for every policy."""


def fleet(
    lives: Sequence[Life],
    seed: int,
    sensors: int,
    trouble: Trouble = Trouble(),
) -> Draw:
    """The lives of one fleet: common random numbers, whatever a policy does."""
    marks = np.random.default_rng([seed, 1]).random(100)
    kept: dict[tuple[int, int], Part] = {}

    def draw(machine: int, number: int) -> Part:
        found = kept.get((machine, number))
        if found is None:
            found = kept[machine, number] = _drawn(machine, number)
        return found

    def _drawn(machine: int, number: int) -> Part:
        random = np.random.default_rng([seed, 2, machine, number])
        which = int(random.integers(len(lives)))
        life = lives[which]
        is_sudden = bool(random.random() < trouble.sudden)
        length = int(random.integers(20, len(life))) if is_sudden else len(life)
        key: tuple[int, ...] = (which, length)
        values = life.values[:length]
        if marks[machine % 100] < trouble.faulty:
            fault = np.random.default_rng([seed, 3, machine])
            sensor, kind = int(fault.integers(sensors)), KINDS[int(fault.integers(3))]
            begin = int(fault.integers(1, 5))  # the number of the life in which it begins
            if number >= begin:
                day = int(fault.integers(length)) if number == begin else 0
                values = faulty(values, sensor, kind, day)
                key = (which, length, machine, seed, number)
        ages = np.arange(1.0, length + 1)
        return Part(
            Life(f"machine-{machine}", values, life.settings[:length], ages, True, True),
            is_sudden,
            key,
            len(life),
        )

    return draw


def faulty(values: np.ndarray, sensor: int, kind: str, day: int) -> np.ndarray:
    """Readings of a sensor that is stuck, biased by three deviations, or gone from a day on."""
    found = values.copy()
    if kind == "stuck":
        found[day:, sensor] = found[day, sensor]
    elif kind == "bias":
        found[day:, sensor] += 3 * float(np.nanstd(values[:20, sensor]))
    else:
        found[day:, sensor] = np.nan
    return found


def simulate(draw: Draw, work: Work, trigger: Trigger) -> Outcome:
    """One fleet under one policy, from event to event."""
    out = Outcome()
    count = work.machines
    number, start = [0] * count, [0] * count
    fails, ready, order = [0] * count, [0] * count, [0] * count
    crew = 0

    def begin(machine: int, day: int) -> None:
        part = draw(machine, number[machine])
        start[machine] = day
        fails[machine] = day + len(part)  # down from then
        found = trigger(part)
        at, due = found if isinstance(found, tuple) else (found, 0)
        order[machine] = day + at - 1 if at < len(part) else NEVER
        is_ever = order[machine] < NEVER and due < len(part)
        ready[machine] = max(order[machine] + work.lead, day + due) if is_ever else NEVER

    for machine in range(count):
        begin(machine, 0)
    while True:
        # the next day on which the crew is free and a job waits; failures first
        when = max(crew, min(min(f, r) for f, r in zip(fails, ready, strict=True)))
        if when >= work.horizon:
            break
        failed = [(fails[m], m) for m in range(count) if fails[m] <= when]
        waiting = [(ready[m], m) for m in range(count) if ready[m] <= when]
        is_failure = bool(failed)
        machine = min(failed or waiting)[1]
        takes = work.repair if is_failure else work.planned
        since = fails[machine] if is_failure else when
        out.down += min(when + takes, work.horizon) - since
        age = min(when, fails[machine]) - start[machine]
        out.jobs.append(Job(machine, when, is_failure, age))
        if not is_failure:
            out.wasted.append(fails[machine] - when)
        if order[machine] < fails[machine]:
            out.early.append(fails[machine] - order[machine])
        crew = when + takes
        number[machine] += 1
        begin(machine, crew)
    out.down += sum(max(0, work.horizon - max(f, 0)) for f in fails if f < work.horizon)
    return out


def share_down(out: Outcome, work: Work) -> float:
    return out.down / (work.machines * work.horizon)


# ---- the second plant: bearings ------------------------------------------------------------------

BEARING = Paths(("rms", "peak", "kurtosis", "heat", "noise", "current"), ("load",), "age", "failed")


def bearings(count: int, seed: int) -> list[Life]:
    """Lives of bearings: damage begins, then grows the faster the larger it is and the load.

    Source of the form: exponential growth of a spall after its beginning (Gebraeel et al., 2005),
    life by the cube of the load (ISO 281). Vibration shows damage, and load and noise besides.
    """
    found = []
    for number in range(count):
        random = np.random.default_rng([seed, 9, number])
        begin = int(random.weibull(3.0) * 90) + 20
        rate = 0.05 * np.exp(random.normal(0, 0.35))
        damage, rows, loads = 0.0, [], []
        day = 0
        while damage < 1.0 and day < 1_000:
            load = float(random.choice((0.8, 1.0, 1.2)))
            if day >= begin:
                damage += (0.004 + rate * damage) * load**3 * np.exp(random.normal(0, 0.4))
            shake = (1 + 2.5 * damage) * load * np.exp(random.normal(0, 0.12))
            rows.append(
                (
                    shake,
                    3 * shake * np.exp(random.normal(0.3 * damage, 0.15)),
                    3 + 4 * damage * (1 - 0.6 * damage) + random.normal(0, 0.4),
                    40 + 15 * load + 8 * damage**2 + random.normal(0, 1.5),
                    60 + 6 * damage + random.normal(0, 1.5),
                    5 * load + 0.3 * damage + random.normal(0, 0.1),
                )
            )
            loads.append((load,))
            day += 1
        ages = np.arange(1.0, day + 1)
        found.append(Life(f"bearing-{number}", np.array(rows), np.array(loads), ages, True, True))
    return found
