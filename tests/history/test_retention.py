"""Readings that are too old go: whole segments at once, single ones when segments are merged."""

from __future__ import annotations

import math
import threading
from pathlib import Path

import pytest

from gemel.core.clock import FakeClock
from gemel.core.errors import Unavailable
from gemel.core.series import SeriesTable
from gemel.history import History
from gemel.history.files import Files
from gemel.history.survey import strays, survey

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
KEPT = 100 * SECOND
LATEST = 1 << 62


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


@pytest.fixture
def keep(opened, clock):
    return lambda **more: opened(names=2, keep_from=lambda: clock() - KEPT, **more)


def values(history: History, series: int = 0) -> list[float]:
    return history.read(series, 0, LATEST).value.tolist()


def expire(history: History) -> None:
    """Does what the next sealing would do, and waits for it."""
    with history._sealer._changed:
        before = history._sealer._attempts
        history.expire()
        assert history._sealer._changed.wait_for(
            lambda: history._sealer._attempts > before and not history._sealer._asked, 20
        )


def seal(opened, history, batch) -> None:
    opened.store(history, batch)
    history.seal()


def test_a_segment_goes_when_its_newest_reading_is_too_old(opened, rows_batch, keep, clock):
    history = keep()
    seal(opened, history, rows_batch((0, 0, 1.0), (1, 10, 1.0)))
    seal(opened, history, rows_batch((0, 20, 2.0)))
    clock.now = T0 + KEPT + 5 * SECOND
    expire(history)
    assert values(history) == [1.0, 2.0]  # the middle of the first is exactly as old as allowed
    clock.now = T0 + KEPT + 10 * SECOND + 1
    expire(history)
    assert values(history) == [2.0]
    assert values(history, 1) == []
    found = history.statistics()
    assert (found.expired, found.readings, found.damage) == (2, 1, ())


def test_without_a_limit_nothing_goes(opened, rows_batch):
    history = opened(names=1)
    seal(opened, history, rows_batch((0, -1e9, 1.0)))
    expire(history)
    assert values(history) == [1.0]


def test_the_log_is_never_shortened(opened, rows_batch, keep, clock):
    history = keep()
    opened.store(history, rows_batch((0, 0, 1.0)))
    clock.now = T0 + 1000 * KEPT
    expire(history)
    assert values(history) == [1.0]
    history.seal()
    expire(history)
    assert values(history) == []
    assert history.statistics().expired == 1


def test_old_readings_are_left_out_when_segments_are_merged(opened, rows_batch, keep, clock):
    history = keep()
    seal(opened, history, rows_batch((0, 0, 1.0), (0, 50, 2.0)))
    seal(opened, history, rows_batch((0, 50, 2.0), (1, 0, 7.0), (0, 60, 3.0)))
    clock.now = T0 + KEPT + 50 * SECOND
    history.compact()
    assert values(history) == [2.0, 3.0]
    assert values(history, 1) == []
    found = history.statistics()
    assert (found.expired, found.copies, found.readings) == (2, 1, 2)
    assert history.check() == []


def test_a_segment_is_written_again_when_half_of_it_is_too_old(opened, rows_batch, keep, clock):
    history = keep()
    batch = rows_batch(*((0, i, float(i)) for i in range(100)))
    seal(opened, history, batch)
    segments = opened.folder / "segments"
    clock.now = T0 + KEPT + 40 * SECOND
    expire(history)
    assert len(values(history)) == 100
    clock.now = T0 + KEPT + 60 * SECOND
    expire(history)
    assert values(history) == [float(i) for i in range(60, 100)]
    assert [p.stem for p in segments.glob("*.1m")] == ["00000001-00000001.gone"]
    clock.now = T0 + KEPT + 90 * SECOND
    expire(history)
    assert values(history) == [float(i) for i in range(90, 100)]
    assert [p.stem for p in segments.glob("*.1m")] == ["00000001-00000001.seg"]
    clock.now = T0 + KEPT + 92 * SECOND
    history.compact()
    assert values(history) == [float(i) for i in range(92, 100)]
    assert history.statistics().expired == 92
    assert history.check() == []
    history.close()
    assert survey(opened.folder) == []
    again = opened()
    assert values(again) == [float(i) for i in range(92, 100)]


def test_all_may_go_and_new_ones_come(opened, rows_batch, keep, clock):
    history = keep(fan_in=2)
    for i in range(5):
        seal(opened, history, rows_batch((0, i, float(i))))
    clock.now = T0 + 10 * KEPT
    expire(history)
    assert history.statistics().readings == 0
    assert history.last(0) is None
    assert len(history.downsample(0, T0, T0 + 10 * SECOND, 5)) == 0
    seal(opened, history, rows_batch((0, 2000, 5.0)))
    history.compact()
    assert values(history) == [5.0]
    assert history.check() == []


def test_what_is_gone_stays_gone_without_being_missed(opened, rows_batch, keep, clock, tmp_path):
    history = keep()
    for i in range(3):
        seal(opened, history, rows_batch((0, i * 50, float(i))))
    clock.now = T0 + KEPT + 20 * SECOND
    expire(history)
    history.snapshot(tmp_path / "copy")
    history.close()
    for folder in (opened.folder, tmp_path / "copy"):
        assert [p.name for p in (folder / "segments").glob("*.gone")] == ["00000001-00000001.gone"]
        assert survey(folder) == []
        assert list(strays(folder)) == []
        again = History(folder, SeriesTable(), ballast_bytes=0)
        assert (values(again), again.statistics().damage) == ([1.0, 2.0], ())
        again.compact()
        assert values(again) == [1.0, 2.0]
        again.close()
        found = sorted(p.name for p in (folder / "segments").iterdir())
        assert found == [f"00000001-00000003.seg{end}" for end in ("", ".1h", ".1m")]


def test_a_crash_before_the_old_file_is_removed_brings_nothing_back(
    opened, rows_batch, keep, clock
):
    history = keep()
    seal(opened, history, rows_batch((0, 0, 1.0)))
    [path] = (opened.folder / "segments").glob("*.seg")
    data = path.read_bytes()
    clock.now = T0 + 10 * KEPT
    expire(history)
    history.close()
    path.write_bytes(data)
    assert survey(opened.folder) == []
    again = opened()
    assert values(again) == []
    assert not path.exists()


def test_a_damaged_segment_is_kept_to_be_looked_at(opened, rows_batch, keep, clock):
    history = keep()
    seal(opened, history, rows_batch((0, 0, 1.0)))
    [path] = (opened.folder / "segments").glob("*.seg")
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)
    assert history.check() != []
    clock.now = T0 + 10 * KEPT
    expire(history)
    assert path.exists()
    assert history.statistics().expired == 0


def test_a_full_disk_does_not_hinder_removal(opened, rows_batch, clock):
    class Full(Files):
        full = False

        def write(self, handle, pieces):
            if self.full and any(bytes(p[:8]) == b"GEMELSEG" for p in pieces):
                self.full = False  # what the ballast gives up is enough
                raise OSError(28, "No space left on device")
            return super().write(handle, pieces)

    files = Full()
    history = opened(names=1, keep_from=lambda: clock() - KEPT, files=files)
    seal(opened, history, rows_batch((0, 0, 1.0)))
    files.full = True
    clock.now = T0 + 10 * KEPT
    with pytest.raises(Unavailable, match="No space left"):
        history.compact()
    history.compact()
    assert values(history) == []
    assert history.statistics().expired == 1


@pytest.mark.parametrize("index_bytes", [0, 1 << 20])
def test_readers_meanwhile_see_all_or_what_is_left(opened, rows_batch, clock, index_bytes):
    """A query that began before the segment went is answered from what there is then."""
    limit = [0]
    history = opened(names=1, keep_from=lambda: limit[0], cache_rows=0, index_bytes=index_bytes)
    for i in range(20):
        seal(opened, history, rows_batch((0, i, float(i))))
    whole = [float(i) for i in range(20)]
    wrong: list[list[float]] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            found = values(history)
            if found != whole[20 - len(found) :]:
                wrong.append(found)

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for i in range(1, 20):
        limit[0] = T0 + i * SECOND
        expire(history)
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert values(history) == [19.0]
    assert history.statistics().damage == ()


def test_the_files_that_go_make_room(opened, rows_batch, keep, clock):
    history = keep()
    batch = rows_batch(*((0, i / 100, math.sin(i)) for i in range(2000)))
    seal(opened, history, batch)
    before = sum(p.stat().st_size for p in Path(opened.folder / "segments").iterdir())
    clock.now = T0 + 10 * KEPT
    expire(history)
    after = sum(p.stat().st_size for p in Path(opened.folder / "segments").iterdir())
    assert after < 500 < before
