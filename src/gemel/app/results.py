"""What is not measured comes back here: derived, predicted and simulated values of properties.

They are readings like any other (durable first, checked against the model, in the history), in
series of their own, so that nobody takes one for the other. Programs inside call `Results.record`,
programs outside `POST /ingest?provenance=...`. Derived values reach rules like measured ones;
predicted and simulated ones reach only the history, the state and those who watch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gemel.app.signals import Signal, point_of, series_of
from gemel.core.batch import Batch, join
from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput
from gemel.core.message import Message
from gemel.core.quality import Quality
from gemel.core.series import (
    MEASURED,
    SeriesTable,
    check_provenance,
    is_supposed,
    quantile_path,
)
from gemel.ingest.accept import Accepted, Ingest
from gemel.ingest.judge import judge
from gemel.ingest.points import FRACTIONS, WHOLE, Point, PointTable

if TYPE_CHECKING:
    from gemel.app.platform import Platform

AHEAD_SECONDS = 100 * 365 * 86_400
"""Results may lie so far ahead."""
MOST_PROVENANCES = 1_000


@dataclass(frozen=True, slots=True)
class Result:
    """Values that a service found for one property of one twin.

    Shapes: time and values have one entry a reading, and so has each array of quantiles.
    Units: time is ns since 1970 UTC; values are in the unit of the model.
    """

    twin: str
    property: str
    provenance: str
    """derived, predicted or simulated, perhaps with a label: `simulated:two-pumps`."""
    time: Sequence[int] | NDArray[np.int64]
    values: Sequence[Any] | NDArray[np.float64]
    quality: int = Quality.GOOD
    quantiles: Mapping[float, Sequence[float] | NDArray[np.float64]] = field(default_factory=dict)
    """Uncertainty: level between 0 and 1 to the values that the truth lies below so often."""


class Results:
    """Takes results in; `Platform.results`."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._stages: dict[str, tuple[Ingest, PointTable]] = {}

    # ---- from programs inside ----------------------------------------------------------------

    async def record(self, results: Iterable[Result]) -> int:
        """Stores results, then shows them; returns how many readings they were.

        A value outside the property's range is kept with quality out-of-range, as a measured one
        is. For a time that has a value of the same provenance already, the new one takes its
        place in answers; the old one stays on record (`versions`).

        Raises:
            NotFound: there is no such twin.
            InvalidInput: a property that the model does not have, a value that has not its type,
                columns that do not belong together; nothing was stored.
            Unavailable: it could not be made durable.
        """
        rows = _Rows(self._platform.clock())
        for result in results:
            self._add(rows, result)
        batches = rows.batches()
        for provenance, batch in batches:
            await self._platform.append(batch, provenance)
        return sum(len(batch) for _, batch in batches)

    def _add(self, rows: _Rows, result: Result) -> None:
        platform = self._platform
        provenance = check_provenance(result.provenance)
        if provenance == MEASURED:
            raise InvalidInput(
                "a result cannot be measured", hint="derived, predicted or simulated"
            )
        signal = self._signal(result.twin, result.property)
        time = np.asarray(result.time, np.int64)
        latest = platform.clock() + AHEAD_SECONDS * SECOND
        place = f"results for '{result.property}' of '{result.twin}'"
        if len(time) and not (int(time.min()) >= 0 and int(time.max()) <= latest):
            raise InvalidInput(f"{place}: a time is before 1970 or more than 100 years ahead")
        point = point_of(signal)
        number = platform.series.id(result.twin, signal.path, provenance)
        rows.add(place, point, number, provenance, time, result.values, result.quality)
        for level, values in result.quantiles.items():
            if signal.schema.kind not in FRACTIONS | WHOLE.keys():
                raise InvalidInput(f"{place}: only numbers have quantiles")
            path = quantile_path(signal.path, level)
            number = platform.series.id(result.twin, path, provenance)
            beside = Point("double", point.minimum, point.maximum)
            rows.add(place, beside, number, provenance, time, values, result.quality)

    def _signal(self, twin: str, path: str) -> Signal:
        catalogue = self._platform.catalogue
        signals = catalogue.signals.of(catalogue.require_twin(twin))
        found = signals.get(path)
        if found is None:
            known = ", ".join(list(signals)[:20]) or "none"
            raise InvalidInput(f"the model of '{twin}' has no '{path}'", hint=f"it has: {known}")
        return found

    # ---- from programs outside ---------------------------------------------------------------

    def stage(self, provenance: str) -> Ingest:
        """What takes messages in whose values are of this provenance.

        Raises:
            InvalidInput: there are too many provenances, as labels can be made up at will.
        """
        found = self._stages.get(check_provenance(provenance))
        if found is None:
            if len(self._stages) >= MOST_PROVENANCES:
                raise InvalidInput(
                    f"{MOST_PROVENANCES} provenances are in use already",
                    hint="use one of their labels again; a restart forgets unused ones",
                )
            points = PointTable()
            ahead = AHEAD_SECONDS * SECOND
            stage = Ingest(self._platform.series, points, future_ns=ahead, provenance=provenance)
            found = self._stages[provenance] = (stage, points)
        return found[0]

    async def ingest(self, messages: Sequence[Message], provenance: str) -> Accepted:
        """As `Platform.ingest`, for values that were not measured.

        Raises:
            InvalidInput: it is no provenance.
            Unavailable: it could not be made durable.
        """
        stage = self.stage(provenance)
        points = self._stages[provenance][1]
        for twin in {_twin_of(message) for message in messages}:
            if points.find(twin) is None:
                self._enter(points, twin, provenance)
        return await self._platform.ingest(messages, stage)

    def _enter(self, points: PointTable, twin: str, provenance: str) -> None:
        catalogue = self._platform.catalogue
        model = catalogue.model_of(twin)
        if model is not None:
            layout = catalogue.signals.layout_of(model)
            points.set_twin(
                twin, layout, series_of(self._platform.series, twin, layout, provenance)
            )

    def twin_changed(self, twin: str) -> None:
        """The twin or its model is another: what it may have is looked up when needed again."""
        for _, points in self._stages.values():
            points.drop_twin(twin)


def _twin_of(message: Message) -> str:
    """The twin of a message that stands for a part of an HTTP request."""
    return message.topic.split("/")[1]


class _Rows:
    """Columns under construction, by provenance."""

    def __init__(self, received: int) -> None:
        self._received = received
        self._parts: dict[str, list[Batch]] = {}

    def add(
        self,
        place: str,
        point: Point,
        series: int,
        provenance: str,
        time: NDArray[np.int64],
        values: Sequence[Any] | NDArray[np.float64],
        quality: int,
    ) -> None:
        if len(values) != len(time):
            raise InvalidInput(f"{place}: {len(time)} times and {len(values)} values")
        if not len(time):
            return
        value, text = _checked(place, point, values)
        outside = (value < point.minimum) | (value > point.maximum)
        part = Batch(
            np.full(len(time), series, np.int32),
            time,
            value,
            np.where(outside, Quality.OUT_OF_RANGE, quality).astype(np.uint8),
            self._received,
            text,
        )
        self._parts.setdefault(provenance, []).append(part)

    def batches(self) -> list[tuple[str, Batch]]:
        """(provenance, all its readings)."""
        return [(name, join(parts)) for name, parts in self._parts.items()]


def _checked(
    place: str, point: Point, values: Sequence[Any] | NDArray[np.float64]
) -> tuple[NDArray[np.float64], dict[int, str]]:
    """Values as one column, and the JSON texts of those that are no numbers."""
    if isinstance(values, np.ndarray) and point.kind in FRACTIONS:
        value = np.ascontiguousarray(values, np.float64)
        if not np.isfinite(value).all():
            raise InvalidInput(f"{place}: a value is not a number")
        return value, {}
    plain = values.tolist() if isinstance(values, np.ndarray) else values
    column, text = np.empty(len(plain)), {}
    for row, one in enumerate(plain):
        verdict = judge(point, one)
        if verdict.reason:
            raise InvalidInput(f"{place}: {str(one)[:60]!r} is no {point.kind} ({verdict.reason})")
        column[row] = verdict.value
        if verdict.text is not None:
            text[row] = verdict.text
    return column, text


def without_supposed(
    batch: Batch, series: SeriesTable, is_named: Callable[[int], bool] = lambda _: False
) -> Batch:
    """The batch without predicted and simulated readings, but for series that rules name."""
    if not series.revised or not len(batch):
        return batch
    keys = series.keys
    numbers = np.unique(batch.series)
    supposed = [n for n in numbers.tolist() if is_supposed(keys[n].provenance) and not is_named(n)]
    if not supposed:
        return batch
    return batch.take(np.flatnonzero(~np.isin(batch.series, supposed)))
