from __future__ import annotations

import asyncio
import math
import random
import tempfile
import threading
import time as time_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemel.core.batch import EMPTY, Batch, Columns, Reject, make_batch
from gemel.core.errors import InvalidInput, Unavailable
from gemel.core.series import SeriesTable
from gemel.history import History, compaction, gather, memory, reader, sealer, segment, writer
from gemel.history import codec as codec_module
from gemel.history.codec import Codec

SECOND = 1_000_000_000
MS = 1_000_000
T0 = 1_700_000_000 * SECOND
ALL = (-(2**63), 2**63)


def rows_of(columns: Columns) -> list[tuple[int, object, int, int]]:
    value = [
        columns.text[i] if i in columns.text else _bits(v) for i, v in enumerate(columns.value)
    ]
    assert all(math.isnan(columns.value[i]) for i in columns.text)
    return list(
        zip(
            columns.time.tolist(),
            value,
            columns.quality.tolist(),
            columns.received.tolist(),
            strict=True,
        )
    )


def _bits(value: float) -> int:
    return int(np.float64(value).view(np.int64))


class Model:
    """What a history must answer, from a plain list in the order of arrival."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, object, int, int]] = []

    def append(self, batch: Batch) -> None:
        for i in range(len(batch)):
            value: object = batch.text.get(i, None)
            if value is None:
                value = _bits(batch.value[i])
            received = batch.received // MS * MS
            self.rows.append(
                (int(batch.series[i]), int(batch.time[i]), value, int(batch.quality[i]), received)
            )

    def read(self, series: int, start: int, end: int, *, bad: bool) -> list[tuple[object, ...]]:
        last: dict[tuple[int, object, int], int] = {}
        for number, time, value, quality, received in self.rows:
            if number == series and start <= time < end:
                before = last.pop((time, value, quality), received)
                last[time, value, quality] = min(before, received)
        found = [(*key, received) for key, received in last.items()]
        found.sort(key=lambda row: row[0])
        return [row for row in found if bad or row[2] < 128]

    def last(self, series: int, at: int) -> tuple[object, ...] | None:
        found = self.read(series, -(2**63), at + 1, bad=True)
        return found[-1] if found else None


values = st.one_of(
    st.sampled_from([0.0, -0.0, 1.5, 1.5, 2.0, math.inf]),
    st.floats(allow_nan=False),
    st.sampled_from(['"on"', '"off"', "9007199254740993", '{"a":1}', '"naïve 😀"', '""']),
)
row = st.tuples(
    st.integers(0, 4),
    st.integers(0, 40).map(lambda n: T0 + n * 500 * MS + n % 3),
    values,
    st.sampled_from([0, 0, 0, 64, 128, 130]),
)
batches = st.tuples(st.lists(row, max_size=25), st.integers(0, 10**10))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), batches),
        st.tuples(st.just("append"), batches),
        st.tuples(st.sampled_from(["seal", "compact", "reopen"]), st.none()),
    ),
    max_size=14,
)


def to_batch(rows: list[tuple[int, int, object, int]], lag: int) -> Batch:
    text = {i: v for i, (_, _, v, _) in enumerate(rows) if isinstance(v, str)}
    numbers = [(s, t, math.nan if isinstance(v, str) else v, q) for s, t, v, q in rows]
    return make_batch(numbers, T0 + lag, text)  # type: ignore[arg-type]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks, chunks and slices of a few rows, so that every border is crossed."""
    monkeypatch.setattr(memory, "CHUNK_ROWS", 8)
    monkeypatch.setattr(gather, "ROWS_AT_ONCE", 6)
    monkeypatch.setattr(gather, "ROWS_A_PART", 2)
    monkeypatch.setattr(sealer, "ROWS_TO_ROLL", 6)
    monkeypatch.setattr(codec_module, "LEAST_SCALED", 2)
    monkeypatch.setattr(codec_module, "WHOLE_TOGETHER", 3)
    monkeypatch.setattr(segment, "BLOCK_ROWS", 5)
    monkeypatch.setattr(compaction, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(reader, "ROWS_A_SLICE", 9)
    monkeypatch.setattr(writer, "ROWS_A_RECORD", 12)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=steps, codec=st.sampled_from([Codec.PCODEC, Codec.PLANES]))
def test_any_history_reads_like_a_plain_list(
    steps: list[tuple[str, object]], codec: Codec, small_pieces: None
) -> None:
    model = Model()
    with tempfile.TemporaryDirectory() as folder:
        history = reopen(Path(folder), codec)
        try:
            for verb, argument in steps:
                if verb == "append":
                    batch = to_batch(*argument)  # type: ignore[misc]
                    history.append(batch)
                    model.append(batch)
                elif verb == "seal":
                    history.seal()
                elif verb == "compact":
                    history.compact()
                else:
                    history.close()
                    history = reopen(Path(folder), codec)
            settle(history)
            compare(history, model)
            assert history.check() == []
        finally:
            history.close()


@pytest.mark.parametrize("seed", range(4))
def test_many_seals_and_merges_read_like_a_plain_list(seed, tmp_path, small_pieces):
    rng = random.Random(seed)
    model = Model()
    options = {"fan_in": 2 + seed % 2, "index_bytes": (0, 20_000)[seed // 2]}
    history = reopen(tmp_path, Codec.PCODEC, **options)
    for step in range(60):
        rows: list[tuple[int, int, object, int]] = []
        for _ in range(rng.randrange(30)):
            time = T0 + rng.randrange(40) * 500 * MS
            rows.append((rng.randrange(2), time, rng.choice([1.0, 2.0, 3.5, '"on"']), 0))
        batch = to_batch(rows, step * MS)
        history.append(batch)
        model.append(batch)
        if rng.random() < 0.6:
            history.seal()
        if rng.random() < 0.05:
            history.compact()
        if rng.random() < 0.1:
            history.close()
            history = reopen(tmp_path, Codec.PCODEC, **options)
    settle(history)
    compare(history, model)
    history.compact()
    compare(history, model)
    assert history.check() == []
    history.close()


def reopen(folder: Path, codec: Codec, fan_in: int = 8, index_bytes: int = 1 << 20) -> History:
    history = History(
        folder, SeriesTable(), ballast_bytes=0, codec=codec, fan_in=fan_in, index_bytes=index_bytes
    )
    for i in range(5):
        assert history.series.id(f"pump-{i}", "flow") == i
    return history


def settle(history: History) -> None:
    done = threading.Event()
    history.append(EMPTY, then=lambda error: done.set())
    assert done.wait(60)


def compare(history: History, model: Model) -> None:
    for series in range(6):
        for bad in (False, True):
            for start, end in (ALL, (T0 + 2 * SECOND, T0 + 9 * SECOND)):
                expected = model.read(series, start, end, bad=bad)
                assert rows_of(history.read(series, start, end, bad=bad)) == expected
                some = history.read(series, start, end, bad=bad, limit=3)
                assert rows_of(some) == expected[:3]
        for at in (T0 + 5 * SECOND, T0 + 30 * SECOND):
            found = history.last(series, at)
            got = None
            if found is not None:
                value = found.text if found.text is not None else _bits(found.value)
                got = (found.time, value, found.quality, found.received)
            assert got == model.last(series, at)


def test_rows_are_readable_before_the_callback_runs(opened, rows_batch):
    history = opened(1)
    seen: list[int] = []
    done = threading.Event()

    def then(error):
        seen.append(len(history.read(0, *ALL)))
        done.set()

    history.append(rows_batch((0, 0, 1.0)), then=then)
    assert done.wait(60)
    assert seen == [1]


def test_callbacks_run_in_the_order_of_appends_on_the_loop(opened, rows_batch):
    async def run() -> list[int]:
        loop = asyncio.get_running_loop()
        history = opened(1, notify=loop.call_soon_threadsafe)
        order: list[int] = []
        done = asyncio.Event()
        for i in range(500):
            history.append(rows_batch((0, i, 1.0)), then=lambda e, i=i: order.append(i))
        history.append(EMPTY, then=lambda e: done.set())
        await asyncio.wait_for(done.wait(), 60)
        return order

    assert asyncio.run(run()) == list(range(500))


def test_a_failing_callback_does_not_keep_others_waiting(opened, rows_batch, caplog):
    history = opened(1)
    done = threading.Event()
    history.append(rows_batch((0, 0, 1.0)), then=lambda e: 1 / 0)
    history.append(rows_batch((0, 1, 1.0)), then=lambda e: done.set())
    assert done.wait(60)
    assert "a callback after an append failed" in caplog.text


def test_the_callback_may_append(opened, rows_batch):
    history = opened(1)
    done = threading.Event()
    history.append(
        rows_batch((0, 0, 1.0)),
        then=lambda e: history.append(rows_batch((0, 1, 2.0)), then=lambda e: done.set()),
    )
    assert done.wait(60)
    assert len(history.read(0, *ALL)) == 2


def test_series_keep_their_numbers(opened, rows_batch):
    history = opened()
    odd = [("pump", "a.b", "measured"), ("pümp \ud800", "flow\n", "derived"), ("pump", "a.b", "x")]
    for key in odd:
        history.series.id(*key)
    opened.store(history, rows_batch((2, 0, 1.0)))
    history.close()
    history = opened()
    assert [tuple(key) for key in history.series.keys] == odd
    opened.store(history, rows_batch((2, 1, 1.0)))
    history.seal()
    history.series.id("new", "one")
    opened.store(history, rows_batch((3, 1, 1.0)))
    history.seal()
    history.close()
    assert not list((opened.folder / "log").glob("*1.wal"))
    history = opened()
    assert [tuple(key) for key in history.series.keys] == [*odd, ("new", "one", "measured")]


def test_a_second_process_is_kept_out(opened):
    opened(1)
    with pytest.raises(Unavailable, match="in use by another process"):
        History(opened.folder, SeriesTable(), ballast_bytes=0)


def test_bad_batches_are_refused_one_by_one(opened, rows_batch):
    history = opened(2)
    outcomes: list[Exception | None] = []
    done = threading.Event()
    history.append(rows_batch((0, 0, 1.0)), then=outcomes.append)
    history.append(rows_batch((2, 0, 1.0)), then=outcomes.append)
    history.append(rows_batch((0, 1, '"\ud800"')), then=outcomes.append)
    history.append(rows_batch((1, 0, 2.0)), then=lambda e: (outcomes.append(e), done.set()))
    assert done.wait(60)
    assert outcomes[0] is None
    assert outcomes[3] is None
    assert isinstance(outcomes[1], InvalidInput)
    assert isinstance(outcomes[2], InvalidInput)
    assert len(history.read(0, *ALL)) == 1
    assert len(history.read(1, *ALL)) == 1
    one = rows_batch((0, 0, 1.0))
    with pytest.raises(InvalidInput, match="different lengths"):
        history.append(Batch(one.series, one.time[:0], one.value, one.quality, 0))
    with pytest.raises(InvalidInput, match="rows that it does not have"):
        history.append(Batch(one.series, one.time, one.value, one.quality, 0, {1: "2"}))


def test_too_much_waiting_is_refused_at_once(opened, rows_batch):
    history = opened(1, pending_bytes=200)
    outcomes: list[Exception | None] = []
    history.append(
        Batch(
            np.zeros(100, np.int32),
            np.arange(100),
            np.zeros(100),
            np.zeros(100, np.uint8),
            T0,
        ),
        then=outcomes.append,
    )
    assert isinstance(outcomes[0], Unavailable)
    assert opened.store(history, rows_batch((0, 0, 1.0))) is None
    assert history.pending_bytes == 0


def test_appends_after_close_are_refused(opened, rows_batch):
    history = opened(1)
    history.close()
    assert isinstance(opened.store(history, rows_batch((0, 0, 1.0))), Unavailable)
    with pytest.raises(Unavailable):
        history.seal()
    assert history.statistics().state == "closed"


def test_full_logs_are_sealed_and_merged_by_themselves(opened):
    history = opened(3, segment_rows=1000, fan_in=4)
    rng = np.random.default_rng(1)
    for i in range(40):
        n = 500
        time = T0 + i * SECOND + np.sort(rng.integers(0, SECOND, n))
        batch = Batch(
            rng.integers(0, 3, n).astype(np.int32),
            time,
            rng.normal(size=n),
            np.zeros(n, np.uint8),
            T0,
        )
        assert opened.store(history, batch) is None
    history.seal()
    deadline = time_module.monotonic() + 60
    while history.statistics().segments >= 10 and time_module.monotonic() < deadline:
        time_module.sleep(0.01)  # merging goes on beside
    found = history.statistics()
    assert found.readings == 20_000
    assert found.unsealed == 0
    assert found.log_files == 1
    assert found.segments < 10
    logs = list((opened.folder / "log").glob("*.wal"))
    assert (found.log_files, found.log_bytes) == (len(logs), sum(p.stat().st_size for p in logs))
    assert sum(len(history.read(s, *ALL)) for s in range(3)) == 20_000


def test_a_log_is_sealed_after_a_while(opened, rows_batch):
    sealed = threading.Event()
    history = opened(1, seal_seconds=0.01, on_seal=lambda: (sealed.set(), {})[1])
    opened.store(history, rows_batch((0, 0, 1.0)))
    assert sealed.wait(60)


@pytest.mark.parametrize("index_bytes", [0, 1 << 20])
def test_reads_go_on_while_segments_are_written_and_merged(opened, index_bytes):
    history = opened(2, segment_rows=200, fan_in=2, cache_rows=0, index_bytes=index_bytes)
    faults: list[str] = []
    stop = threading.Event()
    stored = 0

    def read() -> None:
        while not stop.is_set():
            before = stored
            found = history.read(0, *ALL, limit=1_000_000)
            if len(found) < before or (np.diff(found.time) <= 0).any():
                faults.append(f"{len(found)} of {before}")

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for i in range(60):
        time = T0 + np.arange(i * 50, i * 50 + 50)
        batch = Batch(np.zeros(50, np.int32), time, np.ones(50), np.zeros(50, np.uint8), T0)
        assert opened.store(history, batch) is None
        stored += 50
    history.seal()
    stop.set()
    for thread in threads:
        thread.join()
    assert faults == []
    assert history.statistics().damage == ()


def test_indexes_take_no_more_memory_than_they_may_however_many_segments_there_are(opened):
    limit = 6_000
    history = opened(20, index_bytes=limit, fan_in=100)
    indexes = history._caches.indexes
    for first in range(0, 4_000, 200):
        walk(history, opened, first, 200, series=20)
        history.seal()
        assert indexes._held <= limit
    assert len(history._views.now.segments) > 10
    for number in range(20):
        found = history.read(number, *ALL)
        assert found.value.tolist() == [place * 0.25 for place in range(number, 4_000, 20)]
        assert indexes._held <= limit
    history.compact()
    (segment,) = history._views.now.segments
    files = [segment, *segment.rolls.values()]
    assert indexes._held == sum(file.index.bytes for file in files)


def test_an_index_that_went_bad_since_it_was_read_is_named_and_its_blocks_are_found(opened):
    history = opened(2, index_bytes=0)
    walk(history, opened, 0, 400)
    history.seal()
    (segment,) = history._views.now.segments
    data = bytearray(segment.path.read_bytes())
    data[data.rindex(b"GmIx") + 20] ^= 1
    with segment.path.open("r+b") as file:
        file.write(data)
    found = history.read(1, *ALL)
    assert found.value.tolist() == [place * 0.25 for place in range(1, 400, 2)]
    (damage,) = history.statistics().damage
    assert (damage.file, damage.offset) == (segment.name, data.rindex(b"GmIx"))


def test_an_index_is_not_read_from_a_file_that_took_the_name_of_its_own(opened):
    history = opened(2, index_bytes=0)
    walk(history, opened, 0, 4_000)
    history.seal()
    walk(history, opened, 4_000, 20)
    history.seal()
    segment, other = history._views.now.segments
    segment.path.with_suffix(".tmp").write_bytes(other.path.read_bytes())
    segment.path.with_suffix(".tmp").replace(segment.path)
    with pytest.raises(FileNotFoundError):
        assert segment.index
    assert history.statistics().damage == ()


def test_statistics_ask_nothing_of_the_disk(opened, rows_batch, monkeypatch):
    history = opened(2)
    for second in range(3):
        opened.store(history, rows_batch((0, second * SECOND, 1.0)))
        history.seal()
    opened.store(history, rows_batch((1, 0, 2.0)))
    sizes = [path.stat().st_size for path in (opened.folder / "log").glob("*.wal")]

    def stuck(*_, **__):
        raise AssertionError("it would wait for the disk")

    with monkeypatch.context() as hung:
        for name in ("stat", "glob", "iterdir", "exists"):
            hung.setattr(Path, name, stuck)
        found = history.statistics()
    assert (found.log_files, found.log_bytes) == (len(sizes), sum(sizes))


def test_statistics_count(opened, rows_batch):
    history = opened(2)
    reject = Reject(T0, T0, "pump-1", "flow", "x", "wrong-type")
    opened.store(history, rows_batch((0, 0, 1.0), (1, 0, 2.0)), (reject,))
    found = history.statistics()
    assert (found.state, found.readings, found.unsealed, found.rejects) == ("ok", 2, 2, 1)
    assert (found.series, found.segments, found.log_files) == (2, 0, 1)
    assert found.log_bytes == (opened.folder / "log" / "00000001.wal").stat().st_size


def walk(history: History, opened, first: int, rows: int, series: int = 2) -> None:
    """Rows of some series in order, in one batch."""
    place = np.arange(first, first + rows)
    time = T0 + place * SECOND
    batch = Batch(
        (place % series).astype(np.int32), time, place * 0.25, np.zeros(rows, np.uint8), T0
    )
    assert opened.store(history, batch) is None


def test_a_full_log_is_packed_in_haste_and_well_when_it_is_merged(opened):
    history = opened(2, segment_rows=4000, fan_in=3)
    walk(history, opened, 0, 4000)
    walk(history, opened, 4000, 4000)
    history.seal()
    facts = history.statistics()
    assert [s.is_light for s in history._views.now.segments] == [True, True]
    history.compact()
    assert [s.is_light for s in history._views.now.segments] == [False]
    assert history.statistics().segment_bytes * 2 < facts.segment_bytes
    assert sum(len(history.read(s, *ALL)) for s in range(2)) == 8000


def test_what_waits_in_haste_is_merged_when_no_more_of_its_size_can_come(opened):
    history = opened(2, segment_rows=4000, fan_in=3)
    walk(history, opened, 0, 4000)
    walk(history, opened, 4000, 10)
    history.seal()
    deadline = time_module.monotonic() + 60
    while history._views.now.segments[0].is_light and time_module.monotonic() < deadline:
        time_module.sleep(0.01)  # merging goes on beside
    found = [(segment.rows, segment.is_light) for segment in history._views.now.segments]
    assert found == [(4000, False), (10, False)]
    assert sum(len(history.read(s, *ALL)) for s in range(2)) == 4010
