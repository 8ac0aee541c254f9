from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.batch import make_batch
from gemel.ingest import duplicates
from gemel.ingest.duplicates import WIDTH, Recent
from gemel.twins.state import State

readings = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, 5), st.sampled_from([0.0, -0.0, 1.0, 2.5, "a", "b"])
    ),
    max_size=30,
)


def batch_of(found):
    text = {i: v for i, (_, _, v) in enumerate(found) if isinstance(v, str)}
    rows = [(s, t, float("nan") if isinstance(v, str) else v, 0) for s, t, v in found]
    return make_batch(rows, 1, text)


def rows_of(batch):
    return [
        (int(s), int(t), batch.text.get(i, str(float(v))))
        for i, (s, t, v) in enumerate(zip(batch.series, batch.time, batch.value, strict=True))
    ]


@given(st.lists(readings, max_size=4))
@settings(max_examples=300)
def test_only_exact_repetitions_are_dropped_and_all_within_a_batch(batches):
    recent = Recent()
    durable: set[tuple[int, int, str]] = set()
    for found in batches:
        batch = batch_of(found)
        kept = recent.drop(batch)
        before, after = rows_of(batch), rows_of(kept)
        assert len(set(after)) == len(after)
        assert set(before) - set(after) <= durable
        last = [r for i, r in enumerate(before) if r not in before[i + 1 :]]
        assert after == [r for r in last if r in set(after)]
        recent.remember(kept)
        durable |= set(after)


def test_every_row_of_messages_before_is_known_not_only_the_last():
    recent = Recent()
    batches = [batch_of([(s, 1000 * m + t, t / 4) for t in range(600) for s in (0, 5000)])
               for m in range(20)]  # fmt: skip
    for batch in batches:
        assert len(recent.drop(batch)) == 1200
        recent.remember(batch)
    unknown = sum(len(recent.drop(batch)) for batch in batches)
    assert unknown <= 24_000 / 100, "few find another reading in their place"
    recent.remember(batch_of([(0, 7, 9.0), (0, 2003, "a")]))
    assert (0, 7, "1.75") in rows_of(recent.drop(batches[0]))
    assert (0, 2003, "0.75") in rows_of(recent.drop(batches[2]))


def test_the_last_of_a_series_is_known_however_much_came_of_others(monkeypatch):
    monkeypatch.setattr(duplicates, "MANY_BITS", 4)
    recent = Recent()
    recent.remember(batch_of([(7, 1, 1.0), (8, 1, "a")]))
    for turn in range(50):
        recent.remember(batch_of([(s, turn, 1.0) for s in (1, 2, 3)]))
    assert len(recent.drop(batch_of([(7, 1, 1.0), (8, 1, "a")]))) == 0
    assert len(recent.drop(batch_of([(7, 1, 2.0), (8, 1, "b")]))) == 2


def test_nothing_is_a_duplicate_before_it_is_durable():
    recent = Recent()
    batch = batch_of([(0, 1, 1.0)])
    assert len(recent.drop(batch)) == 1
    assert len(recent.drop(batch)) == 1


def test_other_value_at_the_same_time_is_kept():
    recent = Recent()
    recent.remember(batch_of([(0, 1, 1.0), (1, 1, "a")]))
    kept = recent.drop(batch_of([(0, 1, 2.0), (1, 1, "b"), (0, 1, 1.0), (1, 1, "a")]))
    assert rows_of(kept) == [(0, 1, "2.0"), (1, 1, "b"), (0, 1, "1.0"), (1, 1, "a")]


@given(st.lists(st.lists(st.sampled_from("ABC"), max_size=4), max_size=8))
def test_what_is_dropped_never_changes_which_value_at_one_time_is_the_last(calls):
    recent = Recent()
    last = ""
    for values in calls:
        kept = recent.drop(batch_of([(0, 1, value) for value in values]))
        for _, _, value in rows_of(kept):
            last = value
        recent.remember(kept)
        if values:
            assert last == values[-1]


@given(st.lists(readings, max_size=5))
def test_knowing_the_newest_times_changes_nothing(batches):
    state = State()
    quick, plain = Recent(lambda: state.time), Recent()
    for found in batches:
        kept = [recent.drop(batch_of(found)) for recent in (quick, plain)]
        assert rows_of(kept[0]) == rows_of(kept[1])
        for recent in (quick, plain):
            recent.remember(kept[0])
        if len(kept[0]):
            state.apply(kept[0])


def test_series_that_share_a_place_are_told_apart(monkeypatch):
    monkeypatch.setattr(duplicates, "MANY_BITS", 1)
    recent = Recent()
    series = [3, 3 + WIDTH, 3 + 2 * WIDTH]
    recent.remember(batch_of([(number, 1, 1.0) for number in series]))
    for turn in range(20):
        recent.remember(batch_of([(9, 1 + turn, 1.0)]))
    assert [len(recent.drop(batch_of([(number, 1, 1.0)]))) for number in series] == [1, 1, 0]
    assert len(recent.drop(batch_of([(number, 1, 2.0) for number in series]))) == 3


def test_value_that_was_replaced_is_let_through_however_long_ago():
    recent = Recent()
    recent.remember(batch_of([(0, 1, "a")]))
    recent.remember(batch_of([(0, 1, "b")]))
    for turn in range(3):
        recent.remember(batch_of([(9, 1 + turn, 1.0)]))
    recent.remember(batch_of([(0, 2, "c")]))
    assert len(recent.drop(batch_of([(0, 1, "a")]))) == 1


def test_large_batches_are_compared_exactly():
    count = 50_000
    series = np.arange(count, dtype=np.int32) % 1000
    rows = [(int(s), 1000 + i // 1000, i * 0.5, 0) for i, s in enumerate(series)]
    batch = make_batch(rows + rows[:77], 1)
    assert len(Recent().drop(batch)) == count
