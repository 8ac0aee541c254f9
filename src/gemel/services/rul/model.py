"""A model of remaining life: scaling, one of three levels, intervals; as a fit keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.core.batch import F64
from gemel.core.document import Json
from gemel.services.rul import drift, features, trees
from gemel.services.rul.bands import Bands
from gemel.services.rul.conditions import Scaling
from gemel.services.rul.trees import Trees
from gemel.services.rul.trend import Trend
from gemel.services.rul.wear import Wear
from gemel.services.rul.weibull import Weibull

LEARNT, TREND, AGE = LEVELS = ("learnt", "trend", "age")
SCALING = ("centres", "width", "mean", "deviation")


@dataclass(frozen=True, slots=True)
class Model:
    """Predicts the remaining life in cycles, at most `most`."""

    paths: tuple[str, ...]
    """The signals it reads, in the order of its columns."""
    settings: tuple[str, ...]
    scaling: Scaling
    most: float
    level: str
    core: Trees | Trend | Weibull
    bands: Bands | None = None
    learnt: drift.Learnt | None = None
    """What its signals were like; None in a version from before this was kept."""
    wear: Wear | None = None
    """Signals weighed together; None at other levels and in versions from before."""

    def scaled(self, settings: F64, values: F64) -> F64:
        """Rows as `features` wants them; NaN stays."""
        return self.scaling.apply(settings, values)

    def lines(self, settings: F64, scaled: F64) -> F64 | None:
        """Lines of wear at each cycle of scaled rows; None where the model has none."""
        if self.wear is None:
            return None
        return self.wear.apply(self.scaling.condition(settings), scaled)

    def centre(self, rows: F64) -> F64:
        """What the level says by itself, from rows of features."""
        if isinstance(self.core, Trees):
            found = self.core.predict(rows)
        elif isinstance(self.core, Trend):
            found = self.core.remaining(rows, self.most)
        else:
            found = self.core.remaining(rows[:, -1], 0.5)
        return np.clip(found, 0.0, self.most)

    def predict(self, rows: F64) -> tuple[F64, F64, F64]:
        """Low, median and high of the remaining cycles."""
        assert self.bands is not None
        return self.bands.apply(self.centre(rows))

    def drivers(self, row: F64, most: int) -> list[Json]:
        """The signals that move a prediction furthest from that of a usual machine, in cycles."""
        names = features.names(list(self.paths))
        if self.wear is not None:
            names[-1:] = features.names(self.wear.names)
        if isinstance(self.core, Trees):
            shares = self.core.shares(row)
        elif isinstance(self.core, Trend):
            k = len(self.paths)
            shares = np.zeros(len(row))
            place = len(row) - 1 - k
            shares[place:-1] = -np.abs(self.core.weight * row[place:-1])
        else:
            shares = np.zeros(len(row))
            shares[-1] = (
                self.core.remaining(row[-1:], 0.5)[0] - self.core.remaining(np.zeros(1), 0.5)[0]
            )
        total: dict[str, float] = {}
        furthest: dict[str, tuple[float, str]] = {}
        for what, path, share in self._by_signal(names, shares, row):
            total[path] = total.get(path, 0.0) + share
            furthest[path] = max(furthest.get(path, (0.0, what)), (abs(share), what))
        order = sorted(total, key=lambda path: -abs(total[path]))[:most]
        return [
            {"property": path or "age", "cycles": round(total[path], 2), "by": furthest[path][1]}
            for path in order
            if total[path]
        ]

    def _by_signal(
        self, names: list[tuple[str, str]], shares: F64, row: F64
    ) -> Iterator[tuple[str, str, float]]:
        """(what, path, share): that of a line of wear goes to the signals that have moved it.

        They are those with much weight in it and far from what is usual: machines that fail in
        different ways move one line by different signals.
        """
        lines = [] if self.wear is None else self.wear.names
        moved = np.abs(row[features.level_of(len(self.paths))])
        for (what, path), share in zip(names, shares.tolist(), strict=True):
            if path not in lines or path in self.paths:
                yield what, path, share
                continue
            assert self.wear is not None
            parts = self.wear.parts[:, lines.index(path)] * moved
            parts /= max(float(parts.sum()), 1e-12)
            for signal, part in zip(self.paths, parts.tolist(), strict=True):
                yield f"wear, {what}", signal, share * part

    def document(self) -> tuple[Json, dict[str, np.ndarray[Any, Any]]]:
        """As a fit keeps it."""
        assert self.bands is not None
        arrays: dict[str, np.ndarray[Any, Any]] = {
            "bands/at": self.bands.at,
            "bands/offset": self.bands.offset,
        }
        arrays |= {f"scaling/{name}": getattr(self.scaling, name) for name in SCALING}
        head: Json = {
            "paths": list(self.paths),
            "settings": list(self.settings),
            "most": self.most,
            "level": self.level,
        }
        if self.learnt is not None:
            arrays |= {f"drift/{name}": array for name, array in self.learnt.arrays().items()}
        if self.wear is not None:
            arrays |= {"wear/weight": self.wear.weight, "wear/level": self.wear.level}
        if isinstance(self.core, Trees):
            head["depth"] = self.core.depth
            arrays |= {f"trees/{name}": array for name, array in self.core.arrays().items()}
        elif isinstance(self.core, Trend):
            head["limit"] = self.core.limit
            arrays["weight"] = self.core.weight
        else:
            head |= {"shape": self.core.shape, "scale": self.core.scale}
        return head, arrays


def model_of(head: Json, arrays: Any) -> Model:
    """What `Model.document` gave."""
    core: Trees | Trend | Weibull
    if head["level"] == LEARNT:
        mine = {n.removeprefix("trees/"): a for n, a in arrays.items() if n.startswith("trees/")}
        core = trees.of_arrays(mine, int(head["depth"]))
    elif head["level"] == TREND:
        core = Trend(arrays["weight"], float(head["limit"]))
    else:
        core = Weibull(float(head["shape"]), float(head["scale"]))
    return Model(
        tuple(head["paths"]),
        tuple(head["settings"]),
        Scaling(*(arrays[f"scaling/{name}"] for name in SCALING)),
        float(head["most"]),
        head["level"],
        core,
        Bands(arrays["bands/at"], arrays["bands/offset"], float(head["most"])),
        drift.learnt_of(arrays),
        Wear(arrays["wear/weight"], arrays["wear/level"]) if "wear/weight" in arrays else None,
    )
