"""The run `predict`: what a learnt model says at even moments of a span, for each twin."""

from __future__ import annotations

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.contract import Column, Instance, Job, Need, Plant, Progress, Result, Series
from gemel.services.foreign.described import Foreign, opened_entry
from gemel.services.learnt.binding import Feature, features_of, numbers, tensors

VALUE = "learnt.value"
MOST_MOMENTS = 200_000


def need(parameters: Json, instance: Instance, _: Plant, now: int) -> Need:
    """The span, and before it the longest window."""
    windows = [float(one.get("window", 0.0)) for one in instance.parameters["inputs"]]
    back = float(parameters["span"]) + 2 * max([*windows, 3 * float(instance.parameters["every"])])
    return Need(instance.signals, now - round(back * SECOND), now + 1)


def predict_twins(job: Job, progress: Progress) -> Result:
    """Asks the model for each twin at each moment at which all that it is fed with is known.

    Raises:
        InvalidInput: the model does not fit, or no twin has what it needs.
    """
    own = job.instance.parameters
    name = own["model"]
    entry = job.instance.foreign[name]
    features = features_of(own, name, entry)
    moments = _moments(job, float(own["every"]))
    found: Json = {}
    series: list[Series] = []
    with opened_entry(name, entry) as model:
        for i, twin in enumerate(job.instance.twins):
            progress(i / len(job.instance.twins), twin)
            found[twin] = _twin(job, model, features, twin, moments, series)
    if not series:
        some = next(iter(found.values()), {"lacks": "there are no twins"})
        raise InvalidInput(f"nothing was predicted: {some['lacks']}", hint="a longer 'span'")
    return Result({"twins": found}, series=series)


def _moments(job: Job, every: float) -> I64:
    width = round(every * SECOND)
    first = job.end - 1 - round(float(job.parameters["span"]) * SECOND)
    moments = np.arange(first // width + 1, (job.end - 1) // width + 1) * width
    if not 0 < len(moments) <= MOST_MOMENTS:
        raise InvalidInput(
            f"{len(moments)} moments of {every:g} s in the span", hint=f"1 to {MOST_MOMENTS:,}"
        )
    return np.asarray(moments, np.int64)


def _twin(
    job: Job, model: Foreign, features: list[Feature], twin: str, moments: I64,
    series: list[Series],
) -> Json:  # fmt: skip
    own = job.instance.parameters
    places = {s.path: i for i, s in enumerate(job.signals) if s.twin == twin}
    missing = sorted({f.path for f in features} - set(places))
    if missing:
        return {"predicted": 0, "lacks": f"twin '{twin}' has no signal " + ", ".join(missing)}
    columns: dict[str, Column] = {path: job.columns[i] for path, i in places.items()}
    values = [f.values(columns[f.path], moments) for f in features]
    known = np.all([np.isfinite(v).all(axis=1) for v in values], axis=0)
    if not known.any():
        gone = [str(f) for f, v in zip(features, values, strict=True) if not np.isfinite(v).any()]
        return {"predicted": 0, "lacks": f"readings of twin '{twin}': " + ", ".join(gone)}
    fed = tensors(model.name, model.description, features, [v[known] for v in values])
    said: F64 = numbers(model.name, model.outputs(fed), own["output"], own["column"])
    times = moments[known]
    good = np.isfinite(said)
    series.append(Series(twin, VALUE, "predicted", times[good], said[good]))
    return {
        "predicted": int(good.sum()),
        "skipped": int(len(moments) - good.sum()),
        "last": float(said[-1]) if good[-1] else None,
        "until": to_iso(int(times[-1])),
    }
