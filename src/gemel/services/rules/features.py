"""What a condition reads beside plain signals: windows, relatives, silence, schedules, inner sums.

Each is a value of one twin that is computed step by step (`clocked`) or over a whole span
(`whole`). `key` is the same for what is computed alike, in every process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from gemel.core.batch import F64
from gemel.core.clock import SECOND
from gemel.services.rules.expression import Relation

BUCKETS = 60
"""A window is kept in at most so many buckets of whole seconds, and slides by a bucket."""


@dataclass(frozen=True, slots=True)
class Named:
    """A number of the text that each twin may have its own value for."""

    index: int
    """Among the parameters."""
    name: str
    scale: float
    offset: float
    """From the unit of the twin's value to the unit that is compared in."""


@dataclass(frozen=True, slots=True)
class Inner:
    """An expression over values of one twin; a condition is 1, 0 or NaN."""

    shape: str
    paths: tuple[str, ...]
    parameters: tuple[float, ...]
    named: tuple[Named, ...]
    evaluate: Callable[[F64, F64], F64]
    features: Mapping[str, Feature]

    @property
    def key(self) -> str:
        return repr((self.shape, self.paths, self.parameters, [n.name for n in self.named]))

    @property
    def depth(self) -> int:
        return 1 + max((f.depth for f in self.features.values()), default=0)


@dataclass(frozen=True, slots=True)
class Window:
    """A statistic of the readings of a path, or of an expression, over the last seconds."""

    statistic: str
    seconds: int
    share: float
    source: str
    """A path, or the key of `inner`."""
    inner: Inner | None

    @property
    def bucket(self) -> int:
        """Seconds of a bucket."""
        return -(-self.seconds // BUCKETS)

    @property
    def buckets(self) -> int:
        return -(-self.seconds // self.bucket)

    @property
    def key(self) -> str:
        return f"{self.statistic} {self.share} over {self.seconds} s of {self.source}"

    @property
    def depth(self) -> int:
        return 1 + (self.inner.depth if self.inner else 0)


@dataclass(frozen=True, slots=True)
class Relatives:
    """A statistic of a value over the relatives of a twin, or how many fulfil a condition."""

    statistic: str
    """mean, min, max, sum, range, count; any, all, none, least, most."""
    count: int
    source: str
    inner: Inner | None
    relation: Relation

    @property
    def key(self) -> str:
        return f"{self.statistic} {self.count} of {self.source} in {self.relation}"

    @property
    def depth(self) -> int:
        return 1 + (self.inner.depth if self.inner else 0)


@dataclass(frozen=True, slots=True)
class Silence:
    """Whether a path has not reported for so many seconds; unknown until it has once."""

    path: str
    seconds: int

    @property
    def key(self) -> str:
        return f"no {self.path} for {self.seconds} s"

    @property
    def depth(self) -> int:
        return 1


@dataclass(frozen=True, slots=True)
class Hours:
    """Whether it is one of these hours, by the clock on a wall of a time zone."""

    begin: int
    end: int
    days: tuple[int, ...]
    zone: str

    @property
    def key(self) -> str:
        return f"between {self.begin} and {self.end} on {self.days} in {self.zone}"

    @property
    def depth(self) -> int:
        return 1


Feature: TypeAlias = Inner | Window | Relatives | Silence | Hours


def seconds_of(window: int) -> int:
    """Whole seconds of a duration in ns, rounded up."""
    return -(-window // SECOND)


def raw_paths(paths: tuple[str, ...], features: Mapping[str, Feature]) -> set[str]:
    """The twin's own telemetry and properties that paths and features read in the end."""
    found: set[str] = set()
    for path in paths:
        feature = features.get(path)
        if feature is None:
            if path:
                found.add(path)
        elif isinstance(feature, Silence):
            found.add(feature.path)
        elif isinstance(feature, Inner):
            found |= raw_paths(feature.paths, feature.features)
        elif isinstance(feature, Window):
            found |= of_source(feature.source, feature.inner)
    return found


def every_path(paths: tuple[str, ...], features: Mapping[str, Feature]) -> set[str]:
    """As `raw_paths`, with what is read of relatives too."""
    found = raw_paths(paths, features)
    for feature in features.values():
        inner = feature if isinstance(feature, Inner) else getattr(feature, "inner", None)
        if inner is not None:
            found |= every_path(inner.paths, inner.features)
    return found


def of_source(source: str, inner: Inner | None) -> set[str]:
    return {source} if inner is None else raw_paths(inner.paths, inner.features)


def longest_window(features: Mapping[str, Feature]) -> int:
    """Seconds before a span that a whole evaluation must look back at."""
    longest = 0
    for feature in features.values():
        inner = getattr(feature, "inner", None)
        before = longest_window(inner.features) if inner is not None else 0
        if isinstance(feature, Inner):
            before = longest_window(feature.features)
        own = 0
        if isinstance(feature, Window):
            own = feature.bucket * feature.buckets
        elif isinstance(feature, Silence):
            own = feature.seconds
        longest = max(longest, own + before)
    return longest


def reads_relatives(features: Mapping[str, Feature]) -> bool:
    """Whether relationships decide what is read."""
    for feature in features.values():
        inner = feature if isinstance(feature, Inner) else getattr(feature, "inner", None)
        if isinstance(feature, Relatives) or (inner and reads_relatives(inner.features)):
            return True
    return False
