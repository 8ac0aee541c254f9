"""A snapshot is a history of its own, whatever was going on when it was taken."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from gemel.core.batch import Reject
from gemel.core.errors import Unavailable
from gemel.core.series import SeriesTable
from gemel.history import History
from gemel.history.files import Files
from gemel.history.survey import strays, survey

LATEST = 1 << 62


def readings(folder: Path, series: int = 0) -> list[float]:
    history = History(folder, SeriesTable(), ballast_bytes=0)
    try:
        assert history.check() == []
        return history.read(series, 0, LATEST).value.tolist()
    finally:
        history.close()


def test_a_snapshot_has_what_was_acknowledged_and_no_more(opened, rows_batch, tmp_path):
    history = opened(names=2)
    opened.store(history, rows_batch((0, 1, 1.0), (1, 1, 5.0)))
    history.seal()
    opened.store(history, rows_batch((0, 2, 2.0)))
    history.snapshot(tmp_path / "copy")
    opened.store(history, rows_batch((0, 3, 3.0)))
    history.compact()
    assert survey(tmp_path / "copy") == []
    assert readings(tmp_path / "copy") == [1.0, 2.0]
    assert history.read(0, 0, LATEST).value.tolist() == [1.0, 2.0, 3.0]


def test_sealed_files_get_a_second_name_and_stay_when_they_are_merged_away(
    opened, rows_batch, tmp_path
):
    history = opened(names=1)
    for i in range(3):
        opened.store(history, rows_batch((0, i, float(i))))
        history.seal()
    history.snapshot(tmp_path / "copy")
    segments = sorted((tmp_path / "copy" / "segments").iterdir())
    assert [path.stat().st_nlink for path in segments] == [2] * 3
    history.compact()
    assert [path.stat().st_nlink for path in segments] == [1] * 3
    assert readings(tmp_path / "copy") == [0.0, 1.0, 2.0]


def test_a_disk_without_links_gets_copies(opened, rows_batch, tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    history = opened(names=1)
    opened.store(history, rows_batch((0, 1, 1.0)))
    history.seal()
    monkeypatch.setattr(os, "link", refuse)
    history.snapshot(tmp_path / "copy")
    assert readings(tmp_path / "copy") == [1.0]


def test_a_closed_history_gives_no_snapshot(opened, tmp_path):
    history = opened(names=1)
    history.close()
    with pytest.raises(Unavailable, match="closed"):
        history.snapshot(tmp_path / "copy")


def test_snapshots_while_everything_moves_hold_state_and_readings_together(
    opened, rows_batch, tmp_path
):
    """Sealing, merging and checkpoints go on; each snapshot alone gives every reading once."""
    stored = 0

    def state() -> dict[str, bytes]:
        return {"count": str(stored).encode()}

    history = opened(names=1, on_seal=state, segment_rows=3, fan_in=2)
    stop = threading.Event()

    def write() -> None:
        nonlocal stored

        def then(error: Exception | None) -> None:
            nonlocal stored
            assert error is None
            stored += 1
            done.set()

        for i in range(100_000):
            if stop.is_set():
                return
            done = threading.Event()
            history.append(rows_batch((0, i, float(i))), (), then)
            assert done.wait(60)

    writer = threading.Thread(target=write)
    writer.start()
    known: list[int] = []
    try:
        for number in range(12):
            while stored < (number + 1) * 10:
                assert writer.is_alive()
            known.append(stored)
            history.snapshot(tmp_path / str(number))
    finally:
        stop.set()
        writer.join()
    for number, least in enumerate(known):
        folder = tmp_path / str(number)
        assert survey(folder) == []
        copy = History(folder, SeriesTable(), ballast_bytes=0)
        values = copy.read(0, 0, LATEST).value
        assert np.array_equal(values, np.arange(len(values)))
        assert len(values) >= least
        count = int(copy.checkpoints().get("count", b"0"))
        assert count + sum(len(batch) for batch in copy.replay()) == len(values)
        copy.close()


# ---- a look at files that nobody has open ------------------------------------------------------


@pytest.fixture
def folder(opened, rows_batch):
    """Files of every kind: two segments, an unsealed log, rejects, names, a checkpoint."""
    history = opened(names=2, on_seal=lambda: {"state": b"x" * 100})
    for i in range(2):
        reject = Reject(i, i, "pump-0", "flow", "x", "wrong-type", "test")
        opened.store(history, rows_batch((0, i, float(i)), (1, i, 5.0)), (reject,))
        history.seal()
    opened.store(history, rows_batch((0, 9, 9.0)))
    opened.store(history, rows_batch((0, 10, 9.0)))
    history.close()
    return opened.folder


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_sound_history_is_sound_and_stays_as_it_is(folder):
    before = content(folder)
    assert survey(folder) == []
    assert list(strays(folder)) == []
    assert content(folder) == before


@pytest.mark.parametrize(
    ("pattern", "place"),
    [
        ("log/*.wal", 0.3),
        ("segments/00000001*.seg", 0.2),
        ("segments/00000002*.seg", 0.98),
        ("rejects/*2.jsonl.zst", 0.6),
        ("checkpoints/*.ckpt", 0.5),
        ("series.jsonl", 0.3),
    ],
)
def test_a_flipped_bit_is_named_in_every_kind_of_file(folder, pattern, place):
    [path] = folder.glob(pattern)
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 0x10
    path.write_bytes(data)
    before = content(folder)
    found = [one for one in survey(folder) if not one.is_torn_tail]
    assert {one.file for one in found} == {str(path.relative_to(folder))}
    assert content(folder) == before


def test_missing_files_are_named(folder):
    next(folder.glob("segments/00000001*.seg")).unlink()
    assert "log files 1 to 1 are missing" in str(survey(folder)[0])
    [log] = folder.glob("log/*.wal")
    log.rename(log.with_name("00000007.wal"))
    assert any("log files 3 to 6 are missing" in str(one) for one in survey(folder))
    [missing] = survey(folder / "nowhere")
    assert "is missing" in missing.what


def test_a_torn_end_is_told_from_damage(folder):
    [log] = folder.glob("log/*.wal")
    os.truncate(log, log.stat().st_size - 3)
    assert [one.is_torn_tail for one in survey(folder)] == [True]


def test_files_of_others_and_half_written_ones_are_strays(folder):
    for name in ("segments/1-2.seg.tmp", "notes.txt", "log/old.wal.bak"):
        (folder / name).write_text("x")
    assert sorted(strays(folder)) == ["log/old.wal.bak", "notes.txt", "segments/1-2.seg.tmp"]
    assert survey(folder) == []


def test_a_link_that_fails_for_another_reason_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Files().link(tmp_path / "a", tmp_path / "b")
