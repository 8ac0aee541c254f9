"""A disk that fails at every call: nothing is acknowledged that is not stored, nothing is lost."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from gemel.core.errors import Unavailable
from gemel.core.series import SeriesTable
from gemel.history import History
from gemel.history.files import Files

ALL = (-(2**63), 2**63)


class Faulty(Files):
    """Fails at the calls that are armed; counts what it was asked."""

    def __init__(self) -> None:
        self.armed: dict[str, int] = {}
        """Call -> error number."""
        self.countdown = 0
        self.short = 0
        self.free = 1 << 40

    def _fail(self, call: str) -> None:
        code = self.armed.get(call)
        if code is None:
            return
        if self.countdown:
            self.countdown -= 1
            return
        raise OSError(code, os.strerror(code))

    def create(self, path: Path) -> int:
        self._fail("create")
        return super().create(path)

    def write(self, handle, pieces):
        if "write" in self.armed and not self.countdown:
            super().write(handle, [b"".join(pieces)[: self.short]])
        self._fail("write")
        return super().write(handle, pieces)

    def sync(self, handle: int) -> None:
        self._fail("sync")
        super().sync(handle)

    def sync_folder(self, folder: Path) -> None:
        self._fail("sync_folder")
        super().sync_folder(folder)

    def truncate(self, handle: int, size: int) -> None:
        self._fail("truncate")
        super().truncate(handle, size)

    def rename(self, old: Path, new: Path) -> None:
        self._fail("rename")
        super().rename(old, new)

    def read(self, path: Path, offset: int = 0, length: int | None = None) -> bytes:
        self._fail("read")
        return super().read(path, offset, length)

    def free_bytes(self, folder: Path) -> int:
        return self.free


def test_a_full_disk_refuses_appends_serves_reads_and_goes_on(opened, rows_batch):
    disk = Faulty()
    history = opened(1, files=disk, ballast_bytes=1 << 20)
    ballast = opened.folder / "ballast"
    assert ballast.stat().st_size == 1 << 20
    assert opened.store(history, rows_batch((0, 0, 1.0))) is None
    size = (opened.folder / "log" / "00000001.wal").stat().st_size

    disk.armed, disk.short, disk.free = {"write": errno.ENOSPC}, 77, 0
    error = opened.store(history, rows_batch((0, 1, 2.0)))
    assert isinstance(error, Unavailable)
    assert "is full" in str(error)
    assert history.statistics().state == "full"
    assert (opened.folder / "log" / "00000001.wal").stat().st_size == size
    assert not ballast.exists()
    assert len(history.read(0, *ALL)) == 1

    disk.armed = {}
    disk.free = 1 << 21  # what sealing is to have, not appends
    assert isinstance(opened.store(history, rows_batch((0, 1, 2.0))), Unavailable)

    disk.free = 1 << 30
    assert opened.store(history, rows_batch((0, 1, 2.0))) is None
    assert history.statistics().state == "ok"
    assert ballast.exists()
    history.close()
    history = opened()
    assert history.read(0, *ALL).value.tolist() == [1.0, 2.0]
    assert history.statistics().damage == ()


def test_another_size_of_ballast_takes_the_place_of_the_one_before(opened):
    ballast = opened.folder / "ballast"
    sizes = []
    for wanted in (1 << 20, 1 << 16, None, 1 << 18, 0):
        opened(ballast_bytes=wanted).close()
        sizes.append(ballast.stat().st_size if ballast.exists() else 0)
    assert sizes == [1 << 20, 1 << 16, 1 << 16, 1 << 18, 0]


def test_a_full_disk_is_left_without_an_append(opened, rows_batch, monkeypatch):
    monkeypatch.setattr("gemel.history.writer.LOOK_AGAIN_SECONDS", 0.01)
    disk = Faulty()
    history = opened(1, files=disk, ballast_bytes=1 << 20)
    disk.armed, disk.free = {"write": errno.ENOSPC}, 0
    assert opened.store(history, rows_batch((0, 0, 1.0))) is not None
    asked = []
    disk.free_bytes = lambda folder: (asked.append(1), 1 << 30)[1]  # type: ignore[method-assign]
    while history.statistics().state == "full":
        pass
    assert asked


@pytest.mark.parametrize("call", ["sync", "write"])
def test_an_input_output_error_stops_the_history(opened, rows_batch, call):
    disk = Faulty()
    history = opened(1, files=disk)
    assert opened.store(history, rows_batch((0, 0, 1.0))) is None
    disk.armed = {call: errno.EIO}
    assert isinstance(opened.store(history, rows_batch((0, 1, 2.0))), Unavailable)
    disk.armed = {}
    error = opened.store(history, rows_batch((0, 2, 3.0)))
    assert "has failed" in str(error)
    assert "restart" in str(error)
    assert history.statistics().state == "failed"
    assert history.read(0, *ALL).value.tolist() == [1.0]
    with pytest.raises(Unavailable):
        history.seal()
    history.close()
    history = opened()
    assert history.read(0, *ALL).value.tolist()[:1] == [1.0]
    assert opened.store(history, rows_batch((0, 2, 3.0))) is None


def test_a_short_write_that_cannot_be_taken_back_stops_the_history(opened, rows_batch):
    disk = Faulty()
    history = opened(1, files=disk)
    assert opened.store(history, rows_batch((0, 0, 1.0))) is None
    disk.armed, disk.short = {"write": errno.ENOSPC, "truncate": errno.EIO}, 50
    assert "has failed" in str(opened.store(history, rows_batch((0, 1, 2.0))))
    disk.armed = {}
    history.close()
    history = opened()
    assert history.read(0, *ALL).value.tolist() == [1.0]
    assert [d.is_torn_tail for d in history.statistics().damage] == [True]


@pytest.mark.parametrize("call", ["create", "write", "sync", "sync_folder", "rename"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_sealing_that_fails_anywhere_loses_nothing(opened, rows_batch, call, code):
    calls = 0
    while True:
        disk = Faulty()
        folder = opened.folder / f"{calls}"
        history = History(folder, SeriesTable(), ballast_bytes=0, files=disk, on_seal=dict)
        history.series.id("pump", "flow")
        assert opened.store(history, rows_batch((0, 0, 1.0), (0, 1, '"on"'))) is None
        disk.armed, disk.countdown = {call: code}, calls
        try:
            history.seal()
            failed = False
        except Unavailable:
            failed = True
        disk.armed = {}
        assert len(history.read(0, *ALL)) == 2
        if failed and history.statistics().state == "ok":
            history.seal()
        history.close()
        history = History(folder, SeriesTable(), ballast_bytes=0)
        assert len(history.read(0, *ALL)) == 2
        assert len(history.series) == 1
        assert not list(folder.rglob("*.tmp"))
        assert history.check() == []
        history.close()
        if not failed:
            assert calls > 1
            return
        calls += 1


def test_a_block_that_cannot_be_read_is_named_and_skipped(opened, rows_batch):
    disk = Faulty()
    history = opened(1, files=disk, cache_rows=0)
    opened.store(history, rows_batch((0, 0, 1.0)))
    history.seal()
    disk.armed = {"read": errno.EIO}
    assert len(history.read(0, *ALL)) == 0
    disk.armed = {}
    assert "cannot be read" in history.statistics().damage[0].what
    history.check()
    assert len(history.read(0, *ALL)) == 1


def test_opening_without_room_for_a_log_says_so(tmp_path):
    disk = Faulty()
    disk.armed = {"create": errno.ENOSPC}
    with pytest.raises(Unavailable, match="full"):
        History(tmp_path / "h", SeriesTable(), files=disk, ballast_bytes=0)
    History(tmp_path / "h", SeriesTable(), ballast_bytes=0).close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_small_disk_fills_is_freed_and_goes_on(tmp_path, opened, rows_batch):
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        fill_and_free(place, opened, rows_batch)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)  # also where a file is open


def fill_and_free(place: Path, opened, rows_batch) -> None:
    history = History(place / "h", SeriesTable(), ballast_bytes=1 << 20, segment_rows=10**9)
    history.series.id("pump", "flow")
    try:
        acknowledged = 0
        for _ in range(3):
            filler = place / "filler"
            filler.write_bytes(bytes(os.statvfs(place).f_bavail * 4096 - (1 << 18)))
            while True:
                rows = [(0, acknowledged + i, float(acknowledged + i)) for i in range(1000)]
                error = opened.store(history, rows_batch(*rows))
                if error is not None:
                    break
                acknowledged += 1000
            assert isinstance(error, Unavailable)
            assert history.read(0, *ALL).value.tolist() == list(range(acknowledged))
            history.seal(wait=True)
            assert history.read(0, *ALL).value.tolist() == list(range(acknowledged))
            filler.unlink()
        assert opened.store(history, rows_batch((0, acknowledged, 1.0))) is None
        assert history.statistics().damage == ()
    finally:
        history.close()
