"""Whoever follows a history from another process gets every reading, whatever the files become."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from gemel.core.batch import Batch, make_batch
from gemel.core.clock import FakeClock
from gemel.history import Follower, History, Position
from gemel.history.followers import MOST_KEPT_LOGS

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
Row = tuple[int, int, object, int]


class There:
    """Followers of a test, standing where it says."""

    def __init__(self, *positions: Position) -> None:
        self.at = list(positions)
        self.gone: list[tuple[tuple[int, int], int, tuple[int, int]]] = []

    def positions(self) -> list[Position]:
        return self.at

    def expired(self, logs: tuple[int, int], rows: int, times: tuple[int, int]) -> None:
        self.gone.append((logs, rows, times))


def rows_of(batch: Batch) -> list[Row]:
    return [
        (int(s), int(t), batch.text.get(i, float(v)), int(q))
        for i, (s, t, v, q) in enumerate(
            zip(batch.series, batch.time, batch.value, batch.quality, strict=True)
        )
    ]


def drained(follower: Follower, history: History, most: int = 1_000_000) -> list[Row]:
    found: list[Row] = []
    while most and (part := follower.read(history.durable())) is not None:
        found += rows_of(part.batch)
        most -= 1
    assert follower.damage() == []
    return found


def numbers(first: int, count: int, series: int = 3) -> Batch:
    rows = [(i % series, T0 + i * SECOND, float(i), 0) for i in range(first, first + count)]
    return make_batch(rows, T0 + first * SECOND)


def expired(history: History) -> None:
    """Waits until the history has looked for what is too old once more."""
    with history._sealer._changed:
        before = history._sealer._attempts
        history.expire()
        assert history._sealer._changed.wait_for(lambda: history._sealer._attempts > before, 20)


def test_what_is_durable_comes_once_and_in_order(opened):
    history = opened(names=3)
    follower = Follower(history.folder, Position(1))
    assert follower.read(history.durable()) is None
    seen: list[Row] = []
    for first in range(0, 100, 10):
        opened.store(history, numbers(first, 10))
        seen += drained(follower, history)
    assert [row[2] for row in seen] == [float(i) for i in range(100)]
    assert follower.position == Position(*history.durable())


def test_texts_and_qualities_come_as_they_were_stored(opened, rows_batch):
    history = opened(names=2)
    opened.store(history, rows_batch((0, 0, 1.5), (1, 0, '"run"'), (1, 1, '{"a":[1]}'), quality=65))
    follower = Follower(history.folder, Position(1))
    expected = {(0, T0, 1.5, 65), (1, T0, '"run"', 65), (1, T0 + SECOND, '{"a":[1]}', 65)}
    assert set(drained(follower, history)) == expected
    history.seal()
    assert set(drained(Follower(history.folder, Position(1)), history)) == expected


def test_a_sealed_log_file_is_read_from_its_segment_and_the_rest_from_the_log(opened):
    history = opened(names=3)
    opened.store(history, numbers(0, 50))
    history.seal()
    assert not list((history.folder / "log").glob("00000001.wal"))
    opened.store(history, numbers(50, 50))
    found = drained(Follower(history.folder, Position(1)), history)
    assert sorted(row[2] for row in found) == [float(i) for i in range(100)]


def test_it_goes_on_inside_a_segment_after_any_part(opened):
    history = opened(names=3)
    opened.store(history, numbers(0, 70_000))
    history.seal()
    follower = Follower(history.folder, Position(1))
    seen: set[Row] = set()
    parts = 0
    while (part := follower.read(history.durable())) is not None:
        seen |= set(rows_of(part.batch))
        follower = Follower(history.folder, part.next)
        parts += 1
    assert parts > 3
    assert len(seen) == 70_000


def test_late_readings_come_with_the_log_that_stored_them(opened):
    there = There(Position(1))
    history = opened(names=3, followers=there)
    opened.store(history, numbers(1_000, 10))
    follower = Follower(history.folder, Position(1))
    drained(follower, history)
    there.at = [follower.position]
    history.seal()
    opened.store(history, numbers(0, 5))
    assert [row[2] for row in drained(follower, history)] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_log_file_that_is_followed_is_kept_until_it_was_read(opened):
    there = There(Position(1))
    history = opened(names=3, followers=there)
    opened.store(history, numbers(0, 10))
    history.seal()
    log = history.folder / "log/00000001.wal"
    assert log.exists(), "sealed, and kept"
    follower = Follower(history.folder, Position(1))
    assert len(drained(follower, history)) == 10
    there.at = [follower.position]
    opened.store(history, numbers(10, 10))
    history.seal()
    assert not log.exists()


def test_who_is_far_behind_holds_up_no_log_file(opened):
    there = There(Position(1))
    history = opened(names=3, followers=there)
    for turn in range(MOST_KEPT_LOGS + 2):
        opened.store(history, numbers(10 * turn, 10))
        history.seal()
    assert not (history.folder / "log/00000001.wal").exists()
    found = drained(Follower(history.folder, Position(1)), history)
    assert len(found) == len(set(found)) == 10 * (MOST_KEPT_LOGS + 2)


def test_segments_are_not_merged_over_the_place_of_who_follows(opened):
    there = There(Position(3))
    history = opened(names=3, followers=there)
    for turn in range(4):
        opened.store(history, numbers(10 * turn, 10))
        history.seal()
    history.compact()
    names = sorted(path.stem for path in (history.folder / "segments").glob("*.seg"))
    assert names == ["00000001-00000002", "00000003-00000004"]
    there.at = []
    history.compact()
    assert len(list((history.folder / "segments").glob("*.seg"))) == 1


def test_a_segment_that_is_merged_while_it_is_read_is_begun_anew(opened):
    history = opened(names=3)
    for turn in range(3):
        opened.store(history, numbers(40_000 * turn, 40_000))
        history.seal()
    follower = Follower(history.folder, Position(1))
    first = follower.read(history.durable())
    assert first is not None
    history.compact()
    found = set(rows_of(first.batch)) | set(drained(follower, history))
    assert len(found) == 120_000


def test_readings_before_a_time_are_left_out(opened):
    history = opened(names=3)
    opened.store(history, numbers(0, 50))
    history.seal()
    opened.store(history, numbers(20, 50))
    since = T0 + 40 * SECOND
    found = drained(Follower(history.folder, Position(1), since), history)
    assert {row[1] for row in found} == {since + i * SECOND for i in range(30)}


def test_what_is_removed_for_its_age_is_told(opened):
    there, clock = There(Position(1)), FakeClock(T0)
    history = opened(names=3, followers=there, keep_from=lambda: clock() - 100 * SECOND)
    opened.store(history, numbers(0, 30))
    history.seal()
    clock.now = T0 + 1_000 * SECOND
    opened.store(history, numbers(1_000, 3))
    history.seal()
    expired(history)
    [(logs, rows, times)] = there.gone
    assert (logs, rows) == ((1, 1), 30)
    assert times == (T0, T0 + 900 * SECOND)


def test_lost_log_files_are_named_and_the_rest_comes(opened):
    history = opened(names=3)
    opened.store(history, numbers(0, 10))
    history.seal()
    opened.store(history, numbers(10, 10))
    for path in (history.folder / "segments").iterdir():
        path.unlink()
    follower = Follower(history.folder, Position(1))
    part = follower.read(history.durable())
    assert part is not None
    assert len(part.batch) == 10
    [damage] = follower.damage()
    assert damage.what == "log files 1 to 1 are missing"
    assert follower.damage() == [], "told once"


def test_a_damaged_record_costs_itself_and_is_named(opened):
    history = opened(names=3)
    for first in range(0, 30, 10):
        opened.store(history, numbers(first, 10))
    path = history.folder / "log/00000001.wal"
    data = bytearray(path.read_bytes())
    middle = data.find(np.float64(15).tobytes())
    data[middle] ^= 1
    path.write_bytes(data)
    follower = Follower(history.folder, Position(1))
    seen: list[Row] = []
    while (part := follower.read(history.durable())) is not None:
        seen += rows_of(part.batch)
    assert [row[2] for row in seen] == [float(i) for i in (*range(10), *range(20, 30))]
    assert "checksum" in follower.damage()[0].what


def test_a_record_larger_than_a_slice_comes_whole(opened):
    history = opened(names=3)
    opened.store(history, numbers(0, 300_000))
    opened.store(history, numbers(300_000, 1))
    found = drained(Follower(history.folder, Position(1)), history)
    assert len(found) == 300_001


@pytest.mark.parametrize("seed", range(6))
def test_every_reading_comes_whatever_is_sealed_merged_and_begun_again(opened, seed):
    """A walk of appends, seals, merges, restarts of either side and late readings."""
    chance = random.Random(seed)
    there = There(Position(1))
    history = opened(names=3, followers=there, segment_rows=500)
    follower = Follower(history.folder, Position(1))
    stored: set[Row] = set()
    seen: set[Row] = set()
    count = 0
    for _ in range(60):
        match chance.choice(
            ["store", "store", "store", "read", "read", "seal", "merge", "again", "open"]
        ):
            case "store":
                size = chance.choice([1, 20, 400])
                batch = numbers(count, size)
                count += size
                assert opened.store(history, batch) is None
                stored |= set(rows_of(batch))
            case "read":
                part = follower.read(history.durable())
                if part is not None:
                    seen |= set(rows_of(part.batch))
                    if chance.random() < 0.7:
                        there.at = [part.next]
            case "seal":
                history.seal()
            case "merge":
                history.compact()
            case "again":  # what was read since is read once more
                follower = Follower(history.folder, there.at[0])
            case "open":
                history.close()
                history = opened(names=3, followers=there, segment_rows=500)
    seen |= set(drained(Follower(history.folder, there.at[0]), history))
    assert seen == stored


def test_the_folder_is_not_written_to(opened, tmp_path: Path):
    history = opened(names=3)
    opened.store(history, numbers(0, 10))
    history.seal()
    opened.store(history, numbers(10, 10))
    before = {path: path.stat().st_mtime_ns for path in history.folder.rglob("*")}
    drained(Follower(history.folder, Position(1)), history)
    assert {path: path.stat().st_mtime_ns for path in history.folder.rglob("*")} == before
