"""The instances of one rule on a clock, and which series they look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gemel.core.batch import I64
from gemel.services.rules.features import Feature, Inner, Relatives, Silence
from gemel.services.rules.layout import KinOf, Series
from gemel.services.rules.parameters import SettingsOf
from gemel.services.rules.rule import Rule
from gemel.services.rules.table import NEVER, Standing


class Members:
    """The instances of one rule; columns are views into the engine's once it is laid out."""

    def __init__(
        self, rule: Rule, instances: Sequence[tuple[str, Series]], kin: KinOf, settings: SettingsOf
    ) -> None:
        self.rule, self.kin, self.settings = rule, kin, settings
        self.instances = list(instances)
        self.twins = [twin for twin, _ in instances]
        size = len(self.twins)
        self.active = np.zeros(size, np.bool_)
        self.since: I64 = np.full(size, NEVER, np.int64)
        self.flipped: I64 = np.full(size, NEVER, np.int64)
        self._reads: I64 | None = None
        self._owners: dict[int, list[str]] | None = None

    @property
    def standing(self) -> Standing:
        never: I64 = np.full(len(self.twins), NEVER, np.int64)
        return Standing(
            self.rule.kernel.identity, self.twins, self.active, self.since, never, self.flipped
        )

    def take(self, old: Standing | None) -> None:
        if old is None:
            return
        is_same = old.condition == self.rule.kernel.identity
        rows = {twin: i for i, twin in enumerate(old.twins)}
        pairs = [(i, rows[t]) for i, t in enumerate(self.twins) if t in rows]
        if not pairs:
            return
        here, there = np.array(pairs, np.int64).T
        for name in ("active", "since", "flipped") if is_same else ("flipped",):
            getattr(self, name)[here] = getattr(old, name)[there]

    def reads(self) -> I64:
        """The series that its conditions look at, those of relatives too."""
        if self._reads is None:
            found: set[int] = set()
            kernel = self.rule.kernel
            for twin, series in self.instances:
                found |= series_of(kernel.paths, kernel.features, twin, series, self.kin)
            self._reads = np.array(sorted(found), np.int64)
        return self._reads

    def owners(self) -> dict[int, list[str]]:
        """By series, the twins on which its conditions look at it."""
        if self._owners is None:
            self._owners = {}
            kernel = self.rule.kernel
            for twin, series in self.instances:
                for number in series_of(kernel.paths, kernel.features, twin, series, self.kin):
                    self._owners.setdefault(number, []).append(twin)
        return self._owners


def series_of(
    paths: Sequence[str], features: Mapping[str, Feature], twin: str, series: Series, kin: KinOf
) -> set[int]:
    found: set[int] = set()
    for path in paths:
        feature = features.get(path)
        inner = feature if isinstance(feature, Inner) else getattr(feature, "inner", None)
        source = path if feature is None else getattr(feature, "source", "")
        if isinstance(feature, Silence):
            source = feature.path
        who = kin(twin, feature.relation) if isinstance(feature, Relatives) else [(twin, series)]
        for name, of_who in who:
            if inner is not None:
                found |= series_of(inner.paths, inner.features, name, of_who, kin)
            elif source in of_who:
                found.add(of_who[source])
    return found
