"""What runs in the tests do; imported by the workers."""

from __future__ import annotations

import os
import signal
import time

import numpy as np

from gemel.core.errors import InvalidInput
from gemel.services.contract import (
    Condition,
    Fit,
    Job,
    Kind,
    Need,
    Notice,
    Progress,
    Result,
    Run,
    Series,
)

AMOUNT = {"type": "object", "properties": {"amount": {"type": "number", "default": 2.0}}}


def double(job: Job, progress: Progress) -> Result:
    for i in range(3):
        progress(i / 3, f"part {i}")
    values = [float(c.value.sum()) for c in job.columns]
    print("noise on standard output")
    return Result(
        {"sums": values, "pid": os.getpid(), "twins": sorted(job.twins), **job.parameters},
        {"twice": np.array(values) * 2},
    )


def forecast(job: Job, progress: Progress) -> Result:
    time_ns = job.end + np.arange(3) * 60_000_000_000
    value = np.array([1.0, 2.0, 3.0])
    one = Series("pump-1", "flow", "predicted", time_ns, value, value - 0.5, value + 0.5)
    return Result({}, series=[one])


def learn(job: Job, progress: Progress) -> Result:
    before = 0.0 if job.fit is None else float(job.fit.arrays["mean"][0])
    passed = job.parameters["amount"] < 100
    return Result(
        {"before": before},
        fit=Fit({}, {"mean": np.array([before + 1.0])}, {"error": 0.5}, 1, 2, adopt=passed),
    )


def review(job: Job, progress: Progress) -> Result:
    is_bad = job.parameters["amount"] > 1
    work = {"work": {"title": "Learn anew"}, "done": [order["title"] for order in job.work]}
    kind = "raise" if is_bad else "clear"
    notice = Notice("pump-1", kind, job.end, job.parameters["amount"], "No longer fits", work)
    return Result({"work": len(job.work)}, notices=[notice])


def fail(job: Job, progress: Progress) -> Result:
    raise InvalidInput("too little data", hint="a longer span")


def break_down(job: Job, progress: Progress) -> Result:
    return Result({"x": 1 / (job.parameters["amount"] * 0)})


def crash(job: Job, progress: Progress) -> Result:
    os.kill(os.getpid(), signal.SIGSEGV)
    return Result({})


def leave(job: Job, progress: Progress) -> Result:
    os._exit(3)


def eat(job: Job, progress: Progress) -> Result:
    kept = [np.ones(1 << 20) for _ in range(1000)]
    return Result({"kept": len(kept)})


def sleep(job: Job, progress: Progress) -> Result:
    progress(0.25, "asleep")
    time.sleep(600)
    return Result({})


def _run(name: str, **more: object) -> Run:
    return Run(name, name, f"run_functions:{name}", AMOUNT, **more)  # type: ignore[arg-type]


def both_signals(parameters: object, instance: object, plant: object, now: int) -> Need:
    signals = plant.signals_of("pump-1")  # type: ignore[attr-defined]
    return Need(tuple(signals), 0, now + 1, twins=("pump-1", "nobody"))


KIND = Kind(
    "tried",
    "Tried",
    "what tests do",
    1,
    parameters=AMOUNT,
    per_model=False,
    runs=(
        _run("double", need=both_signals),
        _run("forecast"),
        _run("learn"),
        _run("review"),
        _run("fail"),
        _run("break_down"),
        _run("crash"),
        _run("leave"),
        _run("eat", memory_mb=256),
        _run("sleep"),
        Run("short", "short", "run_functions:sleep", AMOUNT, seconds=1.0),
        Run("missing", "missing", "run_functions:nothing", AMOUNT),
    ),
    review=Condition("tried.drift", 1.0, title="Its model no longer fits"),
)
