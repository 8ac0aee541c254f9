"""Torn ends and flipped bits: what is whole is served, the rest is named, nothing is ever wrong."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from gemel.core.batch import Batch
from gemel.core.series import SeriesTable
from gemel.history import History, segment
from gemel.history.files import Files
from gemel.history.record import FILE_HEADER, Record, scan

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
ALL = (-(2**63), 2**63)
SERIES = 3


def written(series: int, second: int) -> float:
    """The one value that a series has at a second, so that a wrong one is seen."""
    return round(series * 1000 + second * 0.25, 2)


def batch_at(second: int) -> Batch:
    series = np.arange(SERIES, dtype=np.int32)
    value = np.array([written(s, second) for s in range(SERIES)])
    text = {}
    if second % 3 == 0:
        value[2] = np.nan
        text[2] = f'"state {second}"'
    quality = np.zeros(SERIES, np.uint8)
    time = np.full(SERIES, T0 + second * SECOND)
    return Batch(series, time, value, quality, T0 + second * SECOND, text)


def readings(history: History) -> list[set[int]]:
    """The seconds that each series has; every value must be the one that was written."""
    found = []
    for series in range(SERIES):
        columns = history.read(series, *ALL)
        seconds = ((columns.time - T0) // SECOND).tolist()
        for row, second in enumerate(seconds):
            assert columns.time[row] == T0 + second * SECOND
            assert columns.received[row] == T0 + second * SECOND
            assert columns.quality[row] == 0
            if series == 2 and second % 3 == 0:
                assert columns.text[row] == f'"state {second}"'
            else:
                assert columns.value[row] == written(series, second)
        found.append(set(seconds))
    return found


class Unsynced(Files):
    """Quick to open a thousand times; what is on the disk is the same."""

    def sync(self, handle: int) -> None:
        pass

    def sync_folder(self, folder: Path) -> None:
        pass


def open_quietly(folder: Path) -> History:
    return History(folder, SeriesTable(), ballast_bytes=0, files=Unsynced())


@pytest.fixture
def log_folder(opened) -> Path:
    history = opened(SERIES)
    for second in range(12):
        opened.store(history, batch_at(second))
    history.close()
    return opened.folder


def test_a_log_torn_at_any_byte_of_its_last_three_records_keeps_the_rest(log_folder):
    path = log_folder / "log" / "00000001.wal"
    whole = path.read_bytes()
    records = [found for found in scan(whole, "log") if isinstance(found, Record)]
    for size in range(records[-3].offset, len(whole)):
        path.write_bytes(whole[:size])
        history = open_quietly(log_folder)
        kept = sum(1 for r in records[1:] if r.offset + 32 + -(-len(r.payload) // 8) * 8 <= size)
        assert readings(history) == [set(range(kept))] * SERIES
        damage = history.statistics().damage
        if any(record.offset == size for record in records):
            assert damage == ()
        else:
            assert [d.is_torn_tail for d in damage] == [True]
            assert damage[0].file == "log/00000001.wal"
        history.close()
        for log in path.parent.iterdir():
            log.unlink()


def test_damage_in_the_middle_of_a_log_costs_one_record(log_folder):
    path = log_folder / "log" / "00000001.wal"
    data = bytearray(path.read_bytes())
    records = [found for found in scan(bytes(data), "log") if isinstance(found, Record)]
    data[records[4].offset + 70] ^= 1  # a time in the payload of one
    data[records[8].offset + 3] ^= 1  # the header of another
    path.write_bytes(data)
    history = open_quietly(log_folder)
    assert readings(history) == [set(range(12)) - {3, 7}] * SERIES
    damage = history.statistics().damage
    assert [d.offset for d in damage][:2] == [records[4].offset, records[8].offset]
    assert not any(d.is_torn_tail for d in damage)
    history.seal()
    assert readings(history) == [set(range(12)) - {3, 7}] * SERIES
    history.close()
    assert (log_folder / "quarantine" / path.name).read_bytes() == bytes(data)


def test_a_lost_last_record_of_a_complete_log_is_not_taken_for_a_torn_end(opened):
    history = opened(SERIES)
    opened.store(history, batch_at(0))
    opened.store(history, batch_at(1))
    history.close()
    history = opened()
    opened.store(history, batch_at(2))
    history.close()
    path = opened.folder / "log" / "00000001.wal"
    data = bytearray(path.read_bytes())
    data[-1] ^= 4
    path.write_bytes(data)
    history = opened()
    assert readings(history) == [{0, 2}] * SERIES
    assert any("1 records at the end" in d.what for d in history.statistics().damage)


def test_a_lost_definition_gets_a_stand_in_and_numbers_stay_true(opened):
    history = opened(SERIES)
    opened.store(history, batch_at(0))
    history.close()
    path = opened.folder / "log" / "00000001.wal"
    data = bytearray(path.read_bytes())
    data[FILE_HEADER.size + 40] ^= 1
    path.write_bytes(data)
    history = opened()
    assert len(history.series) == SERIES
    assert {key.twin for key in history.series.keys} == {"lost-name"}
    assert history.series.id("pump-0", "flow") == SERIES
    assert readings(history) == [{0}] * SERIES


def test_1000_flipped_bits_never_give_a_wrong_value(opened, monkeypatch):
    monkeypatch.setattr(segment, "BLOCK_ROWS", 20)
    history = opened(SERIES)
    for second in range(40):
        opened.store(history, batch_at(second))
        if second % 10 == 9 and second < 30:
            history.seal()
    history.close()
    folder = opened.folder
    files = sorted(
        path for path in folder.rglob("*") if path.suffix in {".seg", ".wal"} and path.is_file()
    )
    sizes = [path.stat().st_size for path in files]
    rng = random.Random(20261122)
    for _ in range(1000):
        path = rng.choices(files, sizes)[0]
        whole = path.read_bytes()
        place = rng.randrange(len(whole) * 8)
        broken = bytearray(whole)
        broken[place // 8] ^= 1 << place % 8
        path.write_bytes(broken)
        before = {p: p.read_bytes() for p in folder.rglob("*.wal")}
        history = open_quietly(folder)
        found = readings(history)
        damage = history.statistics().damage or history.check()
        name = f"{path.parent.name}/{path.name}"
        assert name in {d.file for d in damage}, (name, place)
        for seconds in found:
            assert seconds <= set(range(40))
            assert len(seconds) >= 30
        history.close()
        for log in folder.rglob("*.wal"):
            if log not in before:
                log.unlink()
        path.write_bytes(whole)


def test_damaged_blocks_are_not_merged_away(opened, monkeypatch):
    history = opened(SERIES)
    for second in range(2):
        opened.store(history, batch_at(second))
        history.seal()
    history.close()
    path = min((opened.folder / "segments").iterdir())
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    history = opened()
    assert history.statistics().damage == ()
    history.compact()
    assert len(history.statistics().damage) == 1
    assert history.statistics().segments == 2
    assert path.read_bytes() == bytes(data)
    assert readings(history) == [{1}] * SERIES
    assert "3 readings of series 0 to 2" in history.check()[0].what


def test_half_written_files_and_merged_leftovers_are_removed(opened):
    history = opened(SERIES)
    for second in range(3):
        opened.store(history, batch_at(second))
        history.seal()
    keep = {path: path.read_bytes() for path in (opened.folder / "segments").iterdir()}
    history.compact()
    history.close()
    for path, data in keep.items():
        path.write_bytes(data)
    (opened.folder / "segments" / "00000009-00000009.seg.tmp").write_bytes(b"half")
    history = opened()
    found = sorted(p.name for p in (opened.folder / "segments").iterdir())
    assert found == [f"00000001-00000003.seg{end}" for end in ("", ".1h", ".1m")]
    assert readings(history) == [{0, 1, 2}] * SERIES


def test_a_missing_segment_or_log_file_is_named(opened):
    history = opened(SERIES)
    for second in range(3):
        opened.store(history, batch_at(second))
        history.seal()
    history.close()
    (opened.folder / "segments" / "00000002-00000002.seg").unlink()
    history = opened()
    assert "log files 2 to 2 are missing" in history.statistics().damage[0].what
    assert readings(history) == [{0, 2}] * SERIES


@pytest.mark.parametrize("place", [5, 30, -3])
def test_a_damaged_series_file_is_named(opened, place):
    history = opened(SERIES)
    opened.store(history, batch_at(0))
    history.seal()
    history.close()
    path = opened.folder / "series.jsonl"
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    history = opened()
    assert [d.file for d in history.statistics().damage] == ["series.jsonl"]
    assert len(history.series) == SERIES
    lost = [n for n, key in enumerate(history.series.keys) if key.twin == "lost-name"]
    assert lost == [SERIES - 1 if place < 0 else 0]
    assert readings(history) == [{0}] * SERIES
