"""Power cuts: only what was synced is on the disk afterwards, and that must be enough."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest

from gemel.core.series import SeriesTable
from gemel.history import History
from gemel.history.files import Files

ALL = (-(2**63), 2**63)
SEED = 7


class PowerCut(Files):
    """Keeps what a disk would still have: bytes after a sync, names after a sync of the folder."""

    def __init__(self, root: Path, *, is_broken: bool = False) -> None:
        self.root = root
        self.is_broken = is_broken
        """A disk that says it has synced and has not: the tests must notice."""
        self.lock_ = threading.RLock()
        self.files: dict[int, bytes] = {}
        """Inode -> bytes that survive."""
        self.names: dict[Path, int] = {}
        self.acknowledged = 0
        self.snapshots: list[tuple[int, dict[Path, bytes]]] = []
        self.rng = random.Random(SEED)

    def _moment(self) -> None:
        if self.rng.random() < 0.25:
            self.snapshots.append((self.acknowledged, self.survivors()))

    def survivors(self) -> dict[Path, bytes]:
        with self.lock_:
            return {path: self.files.get(inode, b"") for path, inode in self.names.items()}

    def acknowledge(self, count: int) -> None:
        with self.lock_:
            self.acknowledged += count

    def sync(self, handle: int) -> None:
        with self.lock_:
            self._moment()
            if self.is_broken:
                return
            path = os.readlink(f"/proc/self/fd/{handle}")
            self.files[os.fstat(handle).st_ino] = Path(path).read_bytes()
            self._moment()

    def sync_folder(self, folder: Path) -> None:
        with self.lock_:
            self._moment()
            kept = {path: inode for path, inode in self.names.items() if path.parent != folder}
            here = {path: path.stat().st_ino for path in folder.iterdir() if path.is_file()}
            self.names = kept | here
            self._moment()

    def create(self, path: Path) -> int:
        with self.lock_:
            handle = super().create(path)
            self.files.pop(os.fstat(handle).st_ino, None)
            return handle

    def rename(self, old: Path, new: Path) -> None:
        with self.lock_:
            self._moment()
            super().rename(old, new)
            self._moment()

    def remove(self, path: Path) -> None:
        with self.lock_:
            super().remove(path)
            self.names.pop(path, None)  # gone at once: the worst that can happen
            self._moment()


def run(folder: Path, disk: PowerCut, rows_batch) -> None:
    history = History(
        folder,
        SeriesTable(),
        ballast_bytes=0,
        files=disk,
        fan_in=2,
        on_seal=lambda: {"applied": str(disk.acknowledged).encode()},
    )
    history.series.id("pump", "flow")
    done = threading.Event()
    for i in range(40):
        done.clear()
        history.append(
            rows_batch((0, i, float(i))),
            then=lambda e: (disk.acknowledge(1), done.set()),
        )
        assert done.wait(60)
        if i % 7 == 6:
            history.seal()
    history.close()


def readings_after(place: Path, root: Path, survivors: dict[Path, bytes]) -> tuple[list[int], bool]:
    for path, data in survivors.items():
        target = place / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    history = History(place, SeriesTable(), ballast_bytes=0)
    found = history.read(0, *ALL).value.astype(int).tolist()
    applied = int(history.checkpoints().get("applied", b"0"))
    applied += sum(len(batch) for batch in history.replay())
    is_well = applied == len(found) and all(d.is_torn_tail for d in history.check())
    names = {tuple(key) for key in history.series.keys}
    history.close()
    return found, is_well and names <= {("pump", "flow", "measured")}


def test_a_power_cut_at_any_moment_keeps_what_was_acknowledged(tmp_path, rows_batch):
    disk = PowerCut(tmp_path / "h")
    run(tmp_path / "h", disk, rows_batch)
    moments = disk.snapshots
    assert len(moments) > 50
    for number, (acknowledged, survivors) in enumerate(moments):
        found, is_well = readings_after(tmp_path / f"{number}", tmp_path / "h", survivors)
        assert found[:acknowledged] == list(range(acknowledged)), number
        assert len(found) <= acknowledged + 1
        assert is_well


def test_a_disk_that_only_claims_to_sync_is_caught(tmp_path, rows_batch):
    disk = PowerCut(tmp_path / "h", is_broken=True)
    run(tmp_path / "h", disk, rows_batch)
    acknowledged, survivors = disk.snapshots[-1]
    found, _ = readings_after(tmp_path / "after", tmp_path / "h", survivors)
    assert len(found) < acknowledged


@pytest.mark.parametrize("call", ["sync", "write"])
def test_nothing_is_readable_or_acknowledged_before_it_is_synced(opened, rows_batch, call):
    seen: list[int] = []
    told: list[object] = []

    class Watching(Files):
        def sync(self, handle: int) -> None:
            if call == "sync":
                seen.append(len(history.read(0, *ALL)) if "history" in globals_ else 0)
                assert told == []
            super().sync(handle)

        def write(self, handle, pieces):
            if call == "write" and "history" in globals_:
                seen.append(len(history.read(0, *ALL)))
                assert told == []
            return super().write(handle, pieces)

    globals_: set[str] = set()
    history = opened(1, files=Watching())
    globals_.add("history")
    done = threading.Event()
    history.append(rows_batch((0, 0, 1.0)), then=lambda e: (told.append(e), done.set()))
    assert done.wait(60)
    assert set(seen) == {0}
    assert told == [None]
