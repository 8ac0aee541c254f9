"""Jobs, results and fits as bytes: what goes to a worker, comes back, and stays on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from gemel.core.document import Json
from gemel.services.contract import (
    Arrays,
    Column,
    Fit,
    Instance,
    Job,
    Notice,
    Proposal,
    Result,
    Series,
    Signal,
)
from gemel.services.packing import pack, unpack

Packed = dict[str, np.ndarray[Any, Any]]
FIT = "fit/"


def job_bytes(function: str, job: Job) -> bytes:
    """A job for a worker that is to call `function`."""
    arrays: Packed = {}
    for i, column in enumerate(job.columns):
        arrays[f"time/{i}"], arrays[f"value/{i}"] = column.time, column.value
    document: Json = {
        "function": function,
        "instance": _instance(job.instance),
        "parameters": job.parameters,
        "signals": [_signal(s) for s in job.signals],
        "columns": len(job.columns),
        "begin": job.begin,
        "end": job.end,
        "twins": dict(job.twins),
        "fit": _fit(job.fit, arrays),
        "work": list(job.work),
    }
    return pack(document, arrays)


def job_of(data: bytes) -> tuple[str, Job]:
    """The function's name and the job."""
    document, arrays = unpack(data)
    return document["function"], Job(
        _instance_of(document["instance"]),
        document["parameters"],
        tuple(_signal_of(s) for s in document["signals"]),
        [Column(arrays[f"time/{i}"], arrays[f"value/{i}"]) for i in range(document["columns"])],
        document["begin"],
        document["end"],
        document["twins"],
        _fit_of(document["fit"], arrays),
        document["work"],
    )


def result_bytes(result: Result) -> bytes:
    arrays: Packed = {f"array/{name}": np.asarray(a) for name, a in result.arrays.items()}
    series = []
    for i, one in enumerate(result.series):
        for name in ("time", "value", "low", "high"):
            column = getattr(one, name)
            if column is not None:
                arrays[f"series/{i}/{name}"] = np.asarray(column)
        series.append([one.twin, one.path, one.provenance, one.unit])
    document = {
        "document": result.document,
        "series": series,
        "fit": _fit(result.fit, arrays),
        "proposals": [asdict(one) for one in result.proposals],
        "notices": [asdict(one) for one in result.notices],
    }
    return pack(document, arrays)


def result_of(data: bytes) -> Result:
    document, arrays = unpack(data)
    series = []
    for i, (twin, path, provenance, unit) in enumerate(document["series"]):
        columns = [arrays.get(f"series/{i}/{name}") for name in ("time", "value", "low", "high")]
        time, value, low, high = columns
        assert time is not None
        assert value is not None
        series.append(Series(twin, path, provenance, time, value, low, high, unit))
    return Result(
        document["document"],
        {n.removeprefix("array/"): a for n, a in arrays.items() if n.startswith("array/")},
        series,
        _fit_of(document["fit"], arrays),
        [Proposal(**one) for one in document.get("proposals", [])],
        [Notice(**one) for one in document.get("notices", [])],
    )


def fit_bytes(fit: Fit) -> bytes:
    arrays: Packed = {}
    return pack({"fit": _fit(fit, arrays)}, arrays)


def fit_of(data: bytes) -> Fit:
    document, arrays = unpack(data)
    found = _fit_of(document["fit"], arrays)
    assert found is not None
    return found


def _signal(signal: Signal) -> list[Any]:
    limits = [None if np.isinf(x) else x for x in (signal.minimum, signal.maximum)]
    return [signal.twin, signal.path, signal.unit, *limits]


def _signal_of(row: list[Any]) -> Signal:
    twin, path, unit, low, high = row
    return Signal(
        twin, path, unit, -np.inf if low is None else low, np.inf if high is None else high
    )


def _instance(instance: Instance) -> Json:
    return {**asdict(instance), "signals": [_signal(s) for s in instance.signals]}


def _instance_of(document: Json) -> Instance:
    return Instance(
        document["id"],
        document["kind"],
        tuple(document["twins"]),
        document["parameters"],
        tuple(_signal_of(row) for row in document["signals"]),
        document["model"],
        document["foreign"],
    )


def _fit(fit: Fit | None, arrays: Packed) -> Json | None:
    if fit is None:
        return None
    arrays |= {FIT + name: np.asarray(array) for name, array in fit.arrays.items()}
    return {
        "document": fit.document,
        "scores": fit.scores,
        "begin": fit.begin,
        "end": fit.end,
        "adopt": fit.adopt,
    }


def _fit_of(document: Json | None, arrays: Mapping[str, Any]) -> Fit | None:
    if document is None:
        return None
    mine: Arrays = {n.removeprefix(FIT): a for n, a in arrays.items() if n.startswith(FIT)}
    return Fit(
        document["document"],
        mine,
        document["scores"],
        document["begin"],
        document["end"],
        document["adopt"],
    )
