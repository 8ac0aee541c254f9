"""The newest reading of many series at once against that of each alone, wherever they lie."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemel.core.batch import Batch, make_batch
from gemel.core.series import SeriesTable
from gemel.history import History, memory, segment
from gemel.history.segment import Segment
from history.conftest import MS, SECOND, T0, Opened

MOMENTS = (None, T0 - 1, T0, T0 + 7 * SECOND, T0 + 15 * SECOND + 1, T0 + 29 * SECOND)
SERIES = 6
NAN = float("nan")

row = st.tuples(
    st.integers(0, SERIES - 1),
    st.integers(0, 30).map(lambda n: T0 + n * SECOND),
    st.sampled_from([1.0, 2.0, NAN, '"on"', '"off"']),
    st.sampled_from([0, 128]),
)
steps = st.lists(
    st.tuples(st.sampled_from(["append", "append", "seal", "compact"]), st.lists(row, max_size=25)),
    max_size=10,
)


def same(history: History) -> None:
    """Bulk and alone agree, for all series and for some."""
    for asked in ([SERIES, *range(SERIES), 99], [4, 1], []):
        for at in MOMENTS:
            found, newest = history.last_of_many(np.array(asked, np.int32), at)
            alone = {n: one for n in sorted(asked) if (one := history.last(n, at)) is not None}
            assert found.tolist() == list(alone)
            rows = alone.values()
            assert newest.time.tolist() == [one.time for one in rows]
            assert newest.quality.tolist() == [one.quality for one in rows]
            receipts = zip(newest.received.tolist(), rows, strict=True)
            assert all(received >= one.received for received, one in receipts)
            np.testing.assert_array_equal(newest.value, [one.value for one in rows])
            texts = {row: one.text for row, one in enumerate(rows) if one.text is not None}
            assert newest.text == texts


def opened_at(folder: str, keep_from: int) -> History:
    history = History(
        Path(folder), SeriesTable(), ballast_bytes=0, fan_in=3, keep_from=lambda: keep_from
    )
    for number in range(SERIES):  # the odd ones are revised
        history.series.id(f"pump-{number}", "flow", "predicted" if number % 2 else "measured")
    return history


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=steps, gone=st.sampled_from([0, 0, 10]))
def test_all_at_once_find_what_each_alone_finds(
    steps: list[tuple[str, list[tuple[int, int, float | str, int]]]],
    gone: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "CHUNK_ROWS", 8)
    monkeypatch.setattr(segment, "BLOCK_ROWS", 5)
    with tempfile.TemporaryDirectory() as folder:
        history = opened_at(folder, T0 + gone * SECOND if gone else 0)
        for step, (verb, rows) in enumerate(steps):
            if verb == "append":
                text = {i: r[2] for i, r in enumerate(rows) if isinstance(r[2], str)}
                numbers = [(s, t, NAN if isinstance(v, str) else v, q) for s, t, v, q in rows]
                Opened.store(history, make_batch(numbers, T0 + step * MS, text))
            elif verb == "seal":
                history.seal()
            else:
                history.compact()
        same(history)
        history.close()


def test_blocks_that_cannot_hold_an_answer_are_not_read(
    opened: Opened, rows_batch: Callable[..., Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "BLOCK_ROWS", 10)
    history = opened(names=4, cache_rows=0)
    for day in range(3):
        rows = [(n, day * 1000 + i, float(i)) for n in range(4) for i in range(20)]
        opened.store(history, rows_batch(*rows))
        history.seal()
    read: list[tuple[str, int]] = []
    decode = Segment.block

    def counted(self: Segment, number: int) -> object:
        read.append((self.name, number))
        return decode(self, number)

    monkeypatch.setattr(Segment, "block", counted)
    every = np.arange(4, dtype=np.int32)
    newest = history.last_of_many(every).columns
    assert newest.value.tolist() == [19.0] * 4
    assert [number for _, number in read] == [7, 5, 3, 1]
    assert {name for name, _ in read} == {"segments/00000003-00000003.seg"}
    read.clear()
    past = history.last_of_many(every, T0 + 1005 * SECOND).columns
    assert past.value.tolist() == [5.0] * 4
    assert [number for _, number in read] == [6, 4, 2, 0]
    assert {name for name, _ in read} == {"segments/00000002-00000002.seg"}
