"""Backups in object storage: whole or not there, sent once, resumed, tidied, one at a time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from gemel.app import object_backup, object_work
from gemel.app.backup import Stored
from gemel.app.object_backup import faults, manifest, names, restore, store
from gemel.backends.object_folder import FolderObjects
from gemel.core.clock import SECOND
from gemel.core.errors import (
    Conflict,
    Damaged,
    Forbidden,
    GemelError,
    InvalidInput,
    NotFound,
    Unavailable,
)
from gemel.core.ports import ObjectFacts, Objects

NOW = 1_800_000_000 * SECOND
FIRST = "gemel-20270115T080000Z"


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_backup, "PIECE", 1000)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Files such as a snapshot has."""
    folder = tmp_path / "snapshot"
    for name, content in {
        "gemel.sqlite": b"".join(bytes([n]) * 1000 for n in range(9)) + b"end",
        "history/segments/00000001-00000001.seg": b"".join(b"%08d" % n for n in range(500)),
        "history/series.jsonl": b"names",
        "tls/authority.pem": b"",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Objects:
    (tmp_path / "place").mkdir()
    return FolderObjects(tmp_path / "place")


def kept(objects: Objects, data: Path, now: int = NOW, **more: Any) -> Stored:
    return store(objects, data, {"counts": {"readings": 7}, "damage": []}, now, **more)


def content(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def there(objects: Objects, folder: str) -> list[str]:
    return sorted(one.name for one in objects.list(folder))


class Wrapped:
    """A place that does something before each call."""

    def __init__(self, inner: Objects, before: Any) -> None:
        self.inner, self.before, self.place = inner, before, inner.place

    def put(self, name: str, pieces: Iterable[bytes], *, replace: bool = True) -> int:
        self.before("put", name)
        return self.inner.put(name, pieces, replace=replace)

    def get(self, name: str) -> Iterator[bytes]:
        self.before("get", name)
        return self.inner.get(name)

    def list(self, folder: str) -> Iterator[ObjectFacts]:
        self.before("list", folder)
        return self.inner.list(folder)

    def delete(self, names: Iterable[str]) -> None:
        self.before("delete", "")
        self.inner.delete(names)


def failing(place: Objects, call: str, folder: str, error: GemelError, after: int = 0) -> Wrapped:
    """A place whose calls of one kind fail for names of a folder, after some that succeed."""
    left = [after]

    def before(made: str, name: str) -> None:
        if made == call and name.startswith(folder):
            left[0] -= 1
            if left[0] < 0:
                raise error

    return Wrapped(place, before)


# ---- one backup --------------------------------------------------------------------------------


def test_a_backup_comes_back_as_it_was(place: Objects, data: Path, tmp_path: Path) -> None:
    made = kept(place, data)
    assert made.place == f"{place.place}/{FIRST}"
    assert (made.files, made.copied) == (4, made.bytes)
    assert there(place, "unfinished") == []
    restored = restore(place, FIRST, tmp_path / "new")
    assert content(tmp_path / "new") == content(data)
    assert (restored.files, restored.bytes) == (made.files, made.bytes)
    assert (tmp_path / "new" / "gemel.sqlite").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new" / "tls").stat().st_mode & 0o777 == 0o700
    assert list(faults(place, FIRST)) == []


def test_only_pieces_that_changed_are_sent_again(
    place: Objects, data: Path, tmp_path: Path
) -> None:
    kept(place, data)
    before = content(data)
    changed = bytearray(before["gemel.sqlite"])
    changed[4500] = 255
    (data / "gemel.sqlite").write_bytes(changed)
    (data / "more").write_bytes(
        before["history/segments/00000001-00000001.seg"]
    )  # held already under another name
    second = kept(place, data, NOW + SECOND)
    assert second.copied == 1000
    assert kept(place, data, NOW + 2 * SECOND, full=True).copied > 4000
    restore(place, FIRST, tmp_path / "first")
    assert content(tmp_path / "first") == before
    restore(place, names(place)[1], tmp_path / "second")
    assert content(tmp_path / "second") == content(data)


def test_two_backups_of_one_second_have_two_names(place: Objects, data: Path) -> None:
    for end in ("", "-2", "-3"):
        assert str(kept(place, data).place).endswith(FIRST + end)
    assert names(place) == [FIRST, FIRST + "-2", FIRST + "-3"]


def test_only_the_newest_stay_if_asked(place: Objects, data: Path, tmp_path: Path) -> None:
    place.put("manifests/gemel-before-the-move.json", list(_own_manifest(place)))
    for n in range(4):
        (data / "gemel.sqlite").write_bytes(bytes([n]) * 1500)
        kept(place, data, NOW + n * SECOND, keep=2)
    assert names(place) == [
        "gemel-20270115T080002Z",
        "gemel-20270115T080003Z",
        "gemel-before-the-move",
    ]
    for name in names(place)[:2]:
        restore(place, name, tmp_path / name)
    needed = {p for n in names(place) for f in manifest(place, n)["files"] for p in f["pieces"]}
    assert {name.rpartition("/")[2] for name in there(place, "pieces")} == needed


def _own_manifest(place: Objects) -> Iterator[bytes]:
    """Of a backup whose name somebody chose."""
    digest = "5" * 64
    place.put(f"pieces/55/{digest}", [b"not looked at"])
    about = {"format": 2, "bytes": 13, "files": [{"name": "a", "bytes": 13, "pieces": [digest]}]}
    yield orjson.dumps(about)


# ---- interrupted, killed, two at once ----------------------------------------------------------


def test_an_interrupted_backup_is_none_and_the_next_one_goes_on(
    place: Objects, data: Path, tmp_path: Path
) -> None:
    gone = Unavailable("the network is gone")
    with pytest.raises(Unavailable, match="network is gone"):
        kept(failing(place, "put", "pieces", gone, after=6), data)
    assert names(place) == []
    with pytest.raises(NotFound, match="no whole backup"):
        restore(place, FIRST, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert len(there(place, "unfinished")) == 1
    sent = sum(one.bytes for one in place.list("pieces"))
    assert sent >= 6000
    (data / "gemel.sqlite").write_bytes(b"".join(bytes([n]) * 1000 for n in range(1, 9)))
    made = kept(place, data, NOW + SECOND)
    assert made.copied <= made.bytes - sent + 1000
    assert there(place, "unfinished") == []
    restore(place, names(place)[0], tmp_path / "new")
    assert content(tmp_path / "new") == content(data)
    needed = {p for f in manifest(place, names(place)[0])["files"] for p in f["pieces"]}
    assert {name.rpartition("/")[2] for name in there(place, "pieces")} == needed


KILLED = """
import os, signal, sys
from pathlib import Path
from gemel.app import object_backup
from gemel.backends.object_folder import FolderObjects

object_backup.PIECE = 1000
object_backup.AT_ONCE = 1
left = int(sys.argv[3])
real = FolderObjects.put

def put(self, name, pieces, *, replace=True):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, name, pieces, replace=replace)

FolderObjects.put = put
place = FolderObjects(Path(sys.argv[1]))
object_backup.store(place, Path(sys.argv[2]), {"counts": {}, "damage": []}, 1_800_000_000 * 10**9)
"""


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_killed_backup_is_none_and_keeps_nobody_waiting(
    after: int, place: FolderObjects, data: Path, tmp_path: Path
) -> None:
    words = [sys.executable, "-c", KILLED, str(place.folder), str(data), str(after)]
    assert subprocess.run(words, timeout=60, check=False).returncode == -9
    assert names(place) == []
    assert len(there(place, "unfinished")) == min(after, 1)
    sent = len(there(place, "pieces"))
    made = kept(place, data)
    assert made.copied == made.bytes - 1000 * sent
    assert there(place, "unfinished") == []
    restore(place, FIRST, tmp_path / "new")
    assert content(tmp_path / "new") == content(data)


def test_who_ends_it_says_so_to_other_machines(
    place: Objects, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = failing(place, "put", "pieces", InvalidInput("ended by hand"), after=2)
    with pytest.raises(InvalidInput):
        kept(ended, data)
    [mark] = place.list("unfinished")
    assert orjson.loads(b"".join(place.get(mark.name)))["state"] == "interrupted"
    monkeypatch.setattr("socket.gethostname", lambda: "another")
    kept(place, data)
    assert there(place, "unfinished") == []


def test_the_manifest_is_the_last_to_come(place: Objects, data: Path) -> None:
    put: list[str] = []
    kept(Wrapped(place, lambda call, name: put.append(name) if call == "put" else None), data)
    assert put[0].startswith("unfinished/")
    assert put[-1] == f"manifests/{FIRST}.json"


def test_of_two_at_once_one_is_refused(place: Objects, data: Path) -> None:
    with (
        object_work.Work(place, FIRST, NOW),
        pytest.raises(Unavailable, match="another process works on") as caught,
    ):
        kept(place, data)
    assert "wait" in caught.value.hint
    assert there(place, "unfinished") == []
    kept(place, data)


def test_two_that_begin_at_the_same_moment_see_each_other(place: Objects) -> None:
    """Whatever comes between the mark and the look: never do both go on."""
    seen: list[object_work.Work] = []

    def between(call: str, name: str) -> None:
        if call == "list" and not seen:
            seen.append(object_work.Work(place, FIRST, NOW))
            with pytest.raises(Unavailable):
                seen[0].__enter__()

    with object_work.Work(Wrapped(place, between), FIRST, NOW):
        assert seen


@pytest.mark.parametrize(("seconds", "is_dead"), [(599, False), (602, True)])
def test_a_mark_of_elsewhere_counts_for_ten_minutes_of_the_stores_clock(
    seconds: int, is_dead: bool, place: Objects, data: Path
) -> None:
    about = {"host": "another", "pid": 1, "since": "2027-01-15T07:00:00Z", "state": "working"}
    place.put("unfinished/other.json", [orjson.dumps(about)])
    [other] = place.list("unfinished")

    class Later(Wrapped):
        def list(self, folder: str) -> Iterator[ObjectFacts]:
            for one in super().list(folder):
                is_new = folder == "unfinished" and one.name != other.name
                time = other.modified + seconds * SECOND if is_new else one.modified
                yield ObjectFacts(one.name, one.bytes, time)

    later = Later(place, lambda *_: None)
    if is_dead:
        kept(later, data)
        assert there(place, "unfinished") == []
    else:
        with pytest.raises(Unavailable, match="1 on another, since 2027-01-15T07:00:00Z"):
            kept(later, data)


def test_who_was_taken_for_dead_leaves_no_manifest(place: Objects, data: Path) -> None:
    def before(call: str, name: str) -> None:
        if call == "put" and name.startswith("pieces"):
            place.delete(there(place, "unfinished"))

    with pytest.raises(Unavailable, match="another process may work there"):
        kept(Wrapped(place, before), data)
    assert names(place) == []


def test_a_mark_is_renewed_while_work_goes_on(
    place: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_work, "RENEW_SECONDS", 0.01)
    put: list[str] = []

    def before(call: str, name: str) -> None:
        if call == "put":
            put.append(name)

    with object_work.Work(Wrapped(place, before), FIRST, NOW) as work:
        while len(put) < 3:
            work.confirm()
    assert len(set(put)) == 1


# ---- rights ------------------------------------------------------------------------------------


def test_who_may_not_delete_makes_whole_backups_and_blocks_nobody(
    place: Objects, data: Path, tmp_path: Path
) -> None:
    adding = failing(place, "delete", "", Forbidden("no rights"))
    kept(adding, data)
    kept(adding, data, NOW + SECOND)
    restore(place, names(place)[-1], tmp_path / "new")
    with pytest.raises(Forbidden, match="is whole, but older ones were not taken away: no rights"):
        kept(adding, data, NOW + 2 * SECOND, keep=1)
    assert len(names(place)) == 3


# ---- what is not as it was ---------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["flip", "cut", "missing"])
def test_a_damaged_backup_is_not_restored(
    fault: str, place: FolderObjects, data: Path, tmp_path: Path
) -> None:
    kept(place, data)
    [entry] = [one for one in manifest(place, FIRST)["files"] if one["name"].endswith("jsonl")]
    path = next(place.folder.rglob(entry["pieces"][0]))
    if fault == "missing":
        path.unlink()
    else:
        path.write_bytes(b"namez" if fault == "flip" else b"nam")
    [found] = faults(place, FIRST)
    assert found["file"] == "history/series.jsonl"
    with pytest.raises(Damaged) as caught:
        restore(place, FIRST, tmp_path / "new")
    assert "history/series.jsonl" in caught.value.details[0]["message"]
    assert not (tmp_path / "new").exists()
    if fault != "flip":  # another size, or nothing: the next backup mends it
        kept(place, data, NOW + SECOND)
        assert list(faults(place, FIRST)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"files": [{"name": "../out", "bytes": 1, "pieces": []}]},
        {"files": [{"name": "/etc/out", "bytes": 1, "pieces": []}]},
        {"files": [{"name": "x", "bytes": "1", "pieces": []}]},
        {"files": [{"name": "x", "bytes": 1, "pieces": ["../../manifests/y"]}]},
        {"files": [{"name": "x", "bytes": 1, "pieces": [7]}]},
        {"files": [{"name": "x", "bytes": 1}]},
        {"files": "x"},
        {"format": "2"},
        {"format": 3},
    ],
)
def test_a_manifest_that_leads_astray_is_refused(
    change: dict[str, Any], place: Objects, data: Path, tmp_path: Path
) -> None:
    kept(place, data)
    changed = manifest(place, FIRST) | change
    place.put(f"manifests/{FIRST}.json", [orjson.dumps(changed)])
    with pytest.raises(InvalidInput if change == {"format": 3} else Damaged):
        restore(place, FIRST, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_size_that_does_not_fit_is_damage(place: Objects, data: Path, tmp_path: Path) -> None:
    kept(place, data)
    changed = manifest(place, FIRST)
    changed["files"][0]["bytes"] += 1
    place.put(f"manifests/{FIRST}.json", [orjson.dumps(changed)])
    with pytest.raises(Damaged):
        restore(place, FIRST, tmp_path / "new")


def test_a_damaged_manifest_keeps_its_pieces_from_being_tidied(place: Objects, data: Path) -> None:
    kept(place, data)
    place.put(f"manifests/{FIRST}.json", [b"{"])
    before = there(place, "pieces")
    (data / "gemel.sqlite").write_bytes(b"new")
    with pytest.raises(Damaged, match="is whole, but"):
        kept(place, data, NOW + SECOND, keep=2)
    assert set(there(place, "pieces")) >= set(before)
    place.put("unfinished/of-one-that-died.json", [b'{"state": "interrupted"}'])
    kept(place, data, NOW + 2 * SECOND)
    assert set(there(place, "pieces")) >= set(before)
    assert "unfinished/of-one-that-died.json" in there(place, "unfinished")


def test_a_folder_that_holds_something_is_not_restored_into(place: Objects, data: Path) -> None:
    kept(place, data)
    with pytest.raises(Conflict, match="not empty"):
        restore(place, FIRST, data)


def test_a_place_is_no_backup_and_the_newest_is_named(
    place: Objects, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(NotFound) as caught:
        restore(place, "", tmp_path / "new")
    assert "gemel backup" in caught.value.hint
    kept(place, data)
    with pytest.raises(NotFound) as caught:
        restore(place, "", tmp_path / "new")
    assert f"{place.place}/{FIRST}" in caught.value.hint


# ---- calls ahead -------------------------------------------------------------------------------


def test_no_more_calls_run_ahead_than_may_wait() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for n in range(50):
            drawn.append(n)
            yield n

    for done, result in enumerate(object_backup.ahead(lambda n: n * n, items())):
        assert result == done * done
        assert len(drawn) <= done + object_backup.AT_ONCE


def test_a_call_that_fails_ends_those_behind_it() -> None:
    def call(n: int) -> int:
        if n == 3:
            raise Unavailable("gone")
        return n

    found: list[int] = []
    with pytest.raises(Unavailable):
        found.extend(object_backup.ahead(call, range(10_000_000)))
    assert found in ([], [0, 1, 2])
