"""Series by the names and labels that PromQL knows them by; docs/reference/promql.md has the rule.

The index follows edits twin by twin and is made when somebody first asks. It holds what there is;
`chosen` leaves out what whoever asks may not see.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gemel.app.values import SHOWN, shown_series
from gemel.core.series import MEASURED, SeriesKey, quantile_of
from gemel.promql.matchers import fitting
from gemel.promql.tree import Matcher
from gemel.promql.values import NAME, Labels
from gemel.twins.dtdl.schema import NUMERIC_KINDS

if TYPE_CHECKING:
    from gemel.app.platform import Platform

NUMBERS = NUMERIC_KINDS | {"boolean"}
TWIN, MODEL, PROPERTY, PROVENANCE = "twin", "model", "property", "provenance"
UNIT, COMPONENT, QUANTILE = "unit", "component", "quantile"
UNFIT = re.compile(r"[^A-Za-z0-9_]")


def metric_name(path: str) -> str:
    """The name of a property's metric: what a metric's name may not have is `_`."""
    name = UNFIT.sub("_", path)
    return f"_{name}" if name[:1].isdigit() else name


@dataclass(frozen=True, slots=True)
class Metric:
    """One series of numbers."""

    number: int
    twin: str
    path: str
    """Of the property; of a quantile, that of the property that it is of."""
    provenance: str
    is_quantile: bool
    labels: Labels

    @property
    def name(self) -> str:
        return self.labels[0][1]  # `__name__` sorts before all others


class MetricIndex:
    """All series of numbers of the twins that there are."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._of_twin: dict[str, list[Metric]] = {}
        self._of_name: dict[str, dict[int, Metric]] = {}
        self._pairs: dict[tuple[str, str], tuple[str, str]] = {}
        """Labels that are equal are one object."""
        self._is_made = False
        self._stale: set[str] = set()
        self._series = 0

    def forget(self, twins: Iterable[str]) -> None:
        """Looks at twins again when somebody next asks."""
        if self._is_made:
            self._stale.update(twins)

    def forget_all(self) -> None:
        self._is_made = False

    def refresh(self) -> None:
        """Brings the index up to date; called on the loop."""
        series = self._platform.series
        if not self._is_made:
            self._of_twin.clear()
            self._of_name.clear()
            self._pairs.clear()
            self._stale.clear()
            self._is_made = True
            twins: Iterable[str] = self._platform.graph.twins
        else:
            new = range(self._series, len(series))
            twins = self._stale | {series.keys[number].twin for number in new}
            self._stale = set()
        self._series = len(series)
        for twin in list(twins):
            self._look_at(twin)

    def _look_at(self, twin: str) -> None:
        for metric in self._of_twin.pop(twin, ()):
            named = self._of_name[metric.name]
            del named[metric.number]
            if not named:
                del self._of_name[metric.name]
        model = self._platform.catalogue.model_of(twin)
        found = [] if model is None else list(self._metrics(twin, model))
        if found:
            self._of_twin[twin] = found
        for metric in found:
            self._of_name.setdefault(metric.name, {})[metric.number] = metric

    def _metrics(self, twin: str, model: str) -> Iterator[Metric]:
        platform = self._platform
        signals = platform.catalogue.signals.of(model)
        units: Mapping[str, str] = platform.catalogue.units_of(model)
        for number in platform.series.of_twin(twin):
            key = platform.series.keys[number]
            beside = quantile_of(key.path)
            path = beside[0] if beside else key.path
            signal = signals.get(path)
            if signal is not None and signal.schema.kind not in NUMBERS:
                continue
            labels = self._labels(key, path, model, units.get(path, ""), beside)
            yield Metric(number, twin, path, key.provenance, beside is not None, labels)

    def _labels(
        self,
        key: SeriesKey,
        path: str,
        model: str,
        unit: str,
        beside: tuple[str, float] | None,
    ) -> Labels:
        found = {
            NAME: metric_name(path),
            COMPONENT: path.rpartition(".")[0],
            MODEL: model,
            PROPERTY: path,
            PROVENANCE: key.provenance,
            QUANTILE: f"{beside[1]:g}" if beside else "",
            TWIN: key.twin,
            UNIT: unit,
        }
        pairs = ((name, value) for name, value in found.items() if value)
        return tuple(self._pairs.setdefault(pair, pair) for pair in sorted(pairs))

    def every(self) -> Iterator[Metric]:
        for metrics in self._of_twin.values():
            yield from metrics

    def candidates(self, matchers: Sequence[Matcher]) -> Iterable[Metric]:
        """Metrics among which are all that fit: those of a name or a twin, where it is asked."""
        for matcher in matchers:
            if matcher.label == TWIN and matcher.operator == "=":
                return self._of_twin.get(matcher.value, ())
        of_name = [matcher for matcher in matchers if matcher.label == NAME]
        if not of_name:
            return self.every()
        names = set(self._of_name)
        for matcher in of_name:
            names = fitting(matcher, names)
        return (metric for name in names for metric in self._of_name[name].values())


def chosen(platform: Platform, matchers: Sequence[Matcher]) -> list[Metric]:
    """What fits and may be seen, in the order of labels.

    A selector that says nothing of `provenance` gets what stands for each property, as everywhere
    else; one that says nothing of `quantile` gets no quantiles.
    """
    index = platform.promql.index
    index.refresh()
    found = list(index.candidates(matchers))
    for matcher in matchers:
        found = _fitting(found, matcher)
    asked = {matcher.label for matcher in matchers}
    if QUANTILE not in asked:
        found = [metric for metric in found if not metric.is_quantile]
    if PROVENANCE not in asked:
        found = [metric for metric in found if _stands(platform, metric)]
    is_shown = platform.series.is_shown
    found = [metric for metric in found if is_shown(metric.twin, metric.path)]
    return sorted(found, key=lambda metric: metric.labels)


def visible(platform: Platform) -> list[Metric]:
    """All that may be seen, of every provenance."""
    index = platform.promql.index
    index.refresh()
    is_shown = platform.series.is_shown
    return [metric for metric in index.every() if is_shown(metric.twin, metric.path)]


def _fitting(metrics: Sequence[Metric], matcher: Matcher) -> list[Metric]:
    values = [_value(metric.labels, matcher.label) for metric in metrics]
    fit = fitting(matcher, set(values))
    return [metric for metric, value in zip(metrics, values, strict=True) if value in fit]


def _value(labels: Labels, name: str) -> str:
    return next((value for own, value in labels if own == name), "")


def _stands(platform: Platform, metric: Metric) -> bool:
    """Whether a series is what stands for its property: measured, else derived, else predicted."""
    if metric.provenance not in SHOWN or metric.is_quantile:
        return metric.is_quantile
    time = platform.state.time
    if metric.provenance == MEASURED and metric.number < len(time) and time[metric.number]:
        return True
    return shown_series(platform, metric.twin, metric.path) == metric.number
