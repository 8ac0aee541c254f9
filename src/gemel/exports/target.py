"""What all targets have in common: some readings are taken, held back, or refused for good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from gemel.core.batch import Batch
from gemel.core.errors import InvalidInput, Unavailable


class Refusal(NamedTuple):
    """Readings that a target will never take."""

    readings: int
    why: str


class Target(Protocol):
    """A place that readings go to; whoever writes to it waits."""

    def check(self) -> None:
        """Raises Unavailable if it is not there, or not as it must be."""
        ...

    def write(self, batch: Batch) -> Sequence[Refusal]:
        """All that is not refused is stored there when this returns; twice is as good as once.

        Raises:
            Unavailable: it cannot now; nothing is lost if it is tried again.
            InvalidInput: it will not take a batch as it is; a smaller one it may.
        """
        ...

    def shown(self, series: int) -> str:
        """What a series is called there."""
        ...

    def close(self) -> None: ...


class Delivery:
    """Writes batches to a target and finds the readings that it refuses."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._has_taken = False

    def write(self, batch: Batch) -> list[Refusal]:
        """As `Target.write`, but only Unavailable is raised.

        A target that has not taken anything yet is rather told wrongly than fed wrong readings:
        nothing is given up then.
        """
        refused = self._write(batch)
        if not self._has_taken and refused and sum(one.readings for one in refused) == len(batch):
            raise Unavailable(
                f"it takes none of {len(batch)} readings: {refused[0].why}",
                hint="look at the address and the settings; nothing is left out meanwhile",
            )
        self._has_taken = True
        return refused

    def _write(self, batch: Batch) -> list[Refusal]:
        try:
            return list(self._target.write(batch))
        except InvalidInput as error:
            if len(batch) == 1:
                name = self._target.shown(int(batch.series[0]))
                return [Refusal(1, f"{name}: {error.message}")]
            if not self._has_taken:
                return self._tried(batch, error)
        return [*self._write(first_half(batch)), *self._write(second_half(batch))]

    def _tried(self, batch: Batch, error: InvalidInput) -> list[Refusal]:
        """Of a target that may be the wrong one: one reading in place of a search through all."""
        one = batch.take(np.array([0]))
        refused = self._write(one)
        if refused:
            return [Refusal(len(batch), error.message)]
        self._has_taken = True
        return self._write(batch)


def first_half(batch: Batch) -> Batch:
    return batch.take(np.arange(len(batch) // 2))


def second_half(batch: Batch) -> Batch:
    return batch.take(np.arange(len(batch) // 2, len(batch)))
