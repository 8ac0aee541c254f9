"""What a target will not take is found and told; a target that takes nothing gets nothing wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gemel.core.batch import Batch, make_batch
from gemel.core.errors import InvalidInput, Unavailable
from gemel.exports.target import Delivery, Refusal


class Picky:
    """Takes nothing of some series, and no more than so many at once."""

    def __init__(self, *refused: int, most: int = 1_000) -> None:
        self.taken: list[int] = []
        self.writes = 0
        self._refused = set(refused)
        self._most = most

    def check(self) -> None:
        pass

    def write(self, batch: Batch) -> Sequence[Refusal]:
        self.writes += 1
        if len(batch) > self._most or self._refused & set(batch.series.tolist()):
            raise InvalidInput("not this")
        self.taken += batch.series.tolist()
        return []

    def shown(self, series: int) -> str:
        return f"series {series}"

    def close(self) -> None:
        pass


def batch(count: int) -> Batch:
    return make_batch([(i, i, 1.0, 0) for i in range(count)], 0)


def test_only_what_does_not_fit_is_refused() -> None:
    target = Picky(77)
    assert Delivery(target).write(batch(100)) == [Refusal(1, "series 77: not this")]
    assert sorted(set(target.taken)) == [i for i in range(100) if i != 77]


def test_a_batch_that_is_too_large_goes_in_pieces() -> None:
    target = Picky(most=7)
    assert Delivery(target).write(batch(100)) == []
    assert sorted(set(target.taken)) == list(range(100))


def test_a_target_that_never_took_anything_is_left_alone() -> None:
    target = Picky(most=0)
    delivery = Delivery(target)
    with pytest.raises(Unavailable, match="it takes none of 100 readings: not this"):
        delivery.write(batch(100))
    assert target.writes == 2, "all, and one: not a search through all"
