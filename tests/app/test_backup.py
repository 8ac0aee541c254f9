"""Backups hold everything, are recognisably whole or not, and come back as they were."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.inside import PUMP, Device, Inside, inside, until
from gemel.app import backup, snapshot
from gemel.app.backup import MANIFEST, manifest, newest, restore, store
from gemel.app.checkup import check_at_rest
from gemel.app.folder import INCOMPLETE, DataFolder, announce_file
from gemel.core.clock import SECOND
from gemel.core.errors import (
    Conflict,
    Damaged,
    GemelError,
    InvalidInput,
    NotFound,
    Unavailable,
)

NOW = 1_800_000_000 * SECOND


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Files such as a snapshot has."""
    folder = tmp_path / "snapshot"
    for name, content in {
        "gemel.sqlite": b"documents" * 1000,
        "history/segments/00000001-00000001.seg": b"readings" * 5000,
        "history/series.jsonl": b"names",
        "tls/authority.pem": b"",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def kept(data: Path, target: Path, now: int = NOW, **more: Any) -> backup.Stored:
    return store(data, {"counts": {}, "damage": []}, target, now, **more)


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


# ---- one backup --------------------------------------------------------------------------------


def test_a_backup_comes_back_as_it_was(data: Path, tmp_path: Path) -> None:
    made = kept(data, tmp_path / "b")
    assert made.place.name == "gemel-20270115T080000Z"
    assert (made.files, made.copied) == (4, made.bytes)
    restored = restore(made.place, tmp_path / "new")
    assert content(tmp_path / "new") == content(data) == content(made.place)
    assert restored.bytes == made.bytes
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_what_the_backup_before_holds_is_not_copied_again(data: Path, tmp_path: Path) -> None:
    first = kept(data, tmp_path / "b")
    (data / "gemel.sqlite").write_bytes(b"documentz" * 1000)  # same name, same size
    (data / "history" / "more.seg").write_bytes(b"more")
    second = kept(data, tmp_path / "b", NOW + SECOND)
    assert second.copied == 9000 + 4
    shared = "history/segments/00000001-00000001.seg"
    assert (first.place / shared).samefile(second.place / shared)
    shutil.rmtree(first.place)
    restore(second.place, tmp_path / "new")
    assert content(tmp_path / "new") == content(data)
    full = kept(data, tmp_path / "b", NOW + 2 * SECOND, full=True)
    assert full.copied == full.bytes
    assert newest(tmp_path / "b") == full.place


def test_two_backups_of_one_second_have_two_names(data: Path, tmp_path: Path) -> None:
    names = [kept(data, tmp_path / "b").place.name for _ in range(3)]
    assert names == [f"gemel-20270115T080000Z{end}" for end in ("", "-2", "-3")]
    assert newest(tmp_path / "b") == tmp_path / "b" / names[2]


def test_a_disk_without_links_gets_copies(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "no links")

    kept(data, tmp_path / "b")
    monkeypatch.setattr(os, "link", refuse)
    second = kept(data, tmp_path / "b", NOW + SECOND)
    assert second.copied == second.bytes
    assert content(second.place) == content(data)


# ---- no room, no rights, no luck ---------------------------------------------------------------


def test_no_room_is_seen_before_anything_is_written(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "SLACK", 1 << 60)
    with pytest.raises(Unavailable, match=r"are needed and .* are free"):
        kept(data, tmp_path / "b")
    assert list((tmp_path / "b").iterdir()) == []
    monkeypatch.undo()
    made = kept(data, tmp_path / "b")
    monkeypatch.setattr(snapshot, "SLACK", 1 << 60)
    with pytest.raises(Unavailable, match=r"are needed and .* are free"):
        restore(made.place, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("call", ["fsync", "link"])
def test_a_disk_that_fills_up_leaves_no_half_backup(
    call: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = kept(data, tmp_path / "b")
    real = os.fsync
    left = [3]

    def full(handle: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="No space left"):
        kept(data, tmp_path / "b", NOW + SECOND, full=call == "fsync")
    monkeypatch.undo()
    assert list((tmp_path / "b").glob("gemel-*")) == [first.place]
    assert content(first.place) == content(data)


def test_a_restore_that_finds_the_disk_full_leaves_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = kept(data, tmp_path / "b")
    (tmp_path / "mount").mkdir()
    left = [8]
    real = os.fsync

    def full(handle: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    for target in ("mount", "new"):
        left[0] = 5
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(Unavailable, match="No space left"):
            restore(made.place, tmp_path / target)
        monkeypatch.undo()
    assert list((tmp_path / "mount").iterdir()) == []
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_written_is_named(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Unavailable, match="file"):
        kept(data, tmp_path / "file" / "b")


def test_one_backup_at_a_time(data: Path, tmp_path: Path) -> None:
    with (
        snapshot.held(tmp_path / "b" / "backup"),
        pytest.raises(Unavailable, match="another process"),
    ):
        kept(data, tmp_path / "b")
    kept(data, tmp_path / "b")


# ---- what is no backup, and what is not as it was ----------------------------------------------


def test_a_folder_without_a_manifest_is_no_backup(data: Path, tmp_path: Path) -> None:
    made = kept(data, tmp_path / "b")
    with pytest.raises(NotFound) as caught:
        restore(tmp_path / "b", tmp_path / "new")
    assert str(made.place) in caught.value.hint
    (made.place / MANIFEST).unlink()
    with pytest.raises(NotFound, match="no whole backup"):
        restore(made.place, tmp_path / "new")
    with pytest.raises(NotFound):
        restore(tmp_path / "nothing", tmp_path / "new")
    assert newest(tmp_path / "b") is None
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("fault", ["flip", "cut", "missing"])
def test_a_damaged_backup_is_not_restored(fault: str, data: Path, tmp_path: Path) -> None:
    made = kept(data, tmp_path / "b")
    path = made.place / "history" / "series.jsonl"
    if fault == "flip":
        path.write_bytes(b"namez")
    elif fault == "cut":
        path.write_bytes(b"nam")
    else:
        path.unlink()
    with pytest.raises(Damaged) as caught:
        restore(made.place, tmp_path / "new")
    assert "history/series.jsonl" in caught.value.details[0]["message"]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"files": [{"name": "../out", "bytes": 1, "sha256": ""}]},
        {"files": [{"name": "/etc/out", "bytes": 1, "sha256": ""}]},
        {"files": [{"name": "", "bytes": 1, "sha256": ""}]},
        {"files": [{"name": "x", "bytes": "1", "sha256": ""}]},
        {"files": [{"name": 7, "bytes": 1, "sha256": ""}]},
        {"files": "x"},
        {"format": "1"},
        {"format": 2},
    ],
)
def test_a_manifest_that_leads_astray_is_refused(
    change: dict[str, Any], data: Path, tmp_path: Path
) -> None:
    made = kept(data, tmp_path / "b")
    changed = manifest(made.place) | change
    (made.place / MANIFEST).write_bytes(orjson.dumps(changed))
    with pytest.raises(InvalidInput if change == {"format": 2} else Damaged):
        restore(made.place, tmp_path / "new")


def test_a_folder_that_holds_something_is_not_restored_into(data: Path, tmp_path: Path) -> None:
    made = kept(data, tmp_path / "b")
    with pytest.raises(Conflict, match="not empty"):
        restore(made.place, data)
    (tmp_path / "new").mkdir()
    restore(made.place, tmp_path / "new")
    (tmp_path / "new" / INCOMPLETE).touch()
    with pytest.raises(Conflict, match="unfinished restore"):
        restore(made.place, tmp_path / "new")


# ---- killed in the middle ----------------------------------------------------------------------

KILLED = """
import os, signal, sys
from pathlib import Path
from gemel.app import backup
from gemel.core.clock import system_clock
from gemel.history.files import Files

left = int(sys.argv[2])

def counted(real):
    def call(*arguments):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)
    return call

if sys.argv[1] == "compact":
    Files.rename = counted(Files.rename)
    Files.remove = counted(Files.remove)
else:
    backup.copy = counted(backup.copy)
from gemel.cli.main import main
sys.exit(main([sys.argv[1], *sys.argv[3:]]))
"""


def killed(command: str, after: int, *words: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, command, str(after), *words],
        capture_output=True,
        timeout=180,
    )
    return done.returncode


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float], dict[str, Any]]:
    """A stopped installation with three segments: its folder, its readings, what a user sees."""
    folder = tmp_path_factory.mktemp("backup") / "data"
    with inside(folder) as server:
        server.pumps("pump-1")
        for part in range(3):
            for second in range(20):
                at = f"2026-01-0{part + 1}T00:00:{second:02d}Z"
                server.ingest("pump-1", flow=part * 20 + second, time=at)
            server.platform.history.seal()
        seen = face(server)
    return folder, seen["history"], seen


def face(server: Inside) -> dict[str, Any]:
    """What a user sees of an installation."""
    span = {"twin": "pump-1", "property": "flow", "from": "2025-12-31T00:00:00Z"}
    series = server.ask("GET", "/history", **span)["series"][0]
    twin = server.ask("GET", "/twins/pump-1")
    return {
        "history": series["value"],
        "times": series["time"],
        "model": server.ask("GET", "/models"),
        "digitaltwin": server.ask("GET", "/digitaltwins/pump-1"),
        "values": {p["name"]: p.get("value") for p in twin["properties"]},
        "alarms": server.ask("GET", "/alarms", state="all"),
        "commands": server.ask("GET", "/commands"),
        "rules": server.ask("GET", "/rules"),
        "rejects": server.ask("GET", "/rejects")["total"],
        "readings": server.ask("GET", "/status")["readings"],
    }


def test_a_killed_backup_leaves_the_data_sound_and_is_seen_to_be_half(
    filled: tuple[Path, list[float], dict[str, Any]], tmp_path: Path
) -> None:
    data, target = filled[0], tmp_path / "b"
    words = (str(target), "--data", str(data))
    for after in (0, 2):
        assert killed("backup", after, *words) == -9
        [half] = target.glob("gemel-*")
        assert half.name.endswith(".partial")
        assert newest(target) is None
        with pytest.raises(NotFound):
            manifest(half)
        assert check_at_rest(data)["sound"]
    assert killed("backup", 1000, *words) == 0
    [whole] = target.glob("gemel-*")
    assert check_at_rest(whole) == {"sound": True, "damage": [], "notes": []}
    assert list((data / "backups").iterdir()) == []


def test_a_killed_restore_is_seen_to_be_half(
    filled: tuple[Path, list[float], dict[str, Any]], tmp_path: Path
) -> None:
    assert killed("backup", 1000, str(tmp_path / "b"), "--data", str(filled[0])) == 0
    [made] = (tmp_path / "b").glob("gemel-*")
    new = tmp_path / "new"
    assert killed("restore", 3, str(made), "--data", str(new)) == -9
    with pytest.raises(Unavailable, match="not restored to the end"):
        DataFolder(new)
    assert check_at_rest(new)["damage"][0]["file"] == INCOMPLETE
    shutil.rmtree(new)
    assert killed("restore", 1000, str(made), "--data", str(new)) == 0
    DataFolder(new).close()


def test_a_killed_compaction_loses_nothing(
    filled: tuple[Path, list[float], dict[str, Any]], tmp_path: Path
) -> None:
    for after, code in ((0, -9), (1, -9), (3, -9), (1000, 0)):
        data = tmp_path / str(after)
        shutil.copytree(filled[0], data)
        assert killed("compact", after, "--data", str(data)) == code
        assert check_at_rest(data)["sound"]
        with inside(data) as server:
            assert face(server)["history"] == filled[1]


# ---- the real server ---------------------------------------------------------------------------


def test_a_backup_of_a_running_server_serves_the_same(tmp_path: Path) -> None:
    data, target = tmp_path / "data", tmp_path / "b"
    with inside(data) as server:
        server.pumps("pump-1", "pump-2")
        rule = {"model": PUMP, "when": "temperature > 80", "then": {"command": "stop"}}
        server.ask("PUT", "/rules/hot", rule)
        for second in range(30):
            at = f"2026-01-01T00:00:{second:02d}Z"
            server.ingest("pump-1", flow=second, mode=f"m{second}", time=at)
        server.ask("POST", "/compact")
        server.ingest("pump-1", temperature=90, flow=31.5, time="2026-01-01T00:01:00Z")
        server.ask("POST", "/ingest/pump-1", {"flow": "many"})
        until(lambda: server.ask("GET", "/commands")["value"])
        until(lambda: server.ask("GET", "/alarms")["value"])
        sleeper = server.device("pump-2", clean=False)
        sleeper.subscribe("devices/pump-2/commands/#")
        secret = server.token("device", "pump-2")
        sleeper.close()
        until(lambda: not server.ask("GET", "/twins/pump-2/explain")["device"]["isConnected"])
        server.ask("POST", "/commands", {"twin": "pump-2", "command": "stop", "id": "c-1"})
        before = face(server)
        answer = server.ask("POST", "/backup", {"name": "one"})
        assert answer["folder"] == "backups/one"
        assert answer["counts"]["readings"] == before["readings"]
        made = store(data / answer["folder"], answer, target, NOW)
        server.ingest("pump-1", flow=99)
        server.ask("DELETE", "/rules/hot")
        assert (data / "backups" / "one").exists()
        server.ask("POST", "/backup")
        assert not (data / "backups" / "one").exists(), "one that nobody holds goes with the next"
        admin = server.admin
    restore(made.place, tmp_path / "new")
    assert check_at_rest(tmp_path / "new")["sound"]
    with inside(tmp_path / "new") as server:
        assert face(server) == before
        with server.client(admin) as client:
            assert client.get("/me").json()["role"] == "admin"
        host, port = server.addresses.mqtt.rsplit(":", 1)
        sleeper = Device(host, int(port), "pump-2", secret, clean=False)
        until(lambda: sleeper.heard)
        assert sleeper.topics() == ["devices/pump-2/commands/stop/c-1"]
        sleeper.close()


def test_a_name_for_a_snapshot_leads_nowhere_else(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        for name in ("../x", "a/b", ".", "-x", "x" * 65, "a b", "é"):
            answer = server.http.post("/backup", json={"name": name})
            assert answer.status_code == 400, name
        (tmp_path / "data" / "backups").mkdir()
        (tmp_path / "data" / "backups" / "killed.lock").touch()
        server.ask("POST", "/backup", {"name": "a"})
        assert not (tmp_path / "data" / "backups" / "killed.lock").exists()
        with snapshot.held(tmp_path / "data" / "backups" / "a"):
            assert server.http.post("/backup", json={"name": "a"}).status_code == 409
            server.ask("POST", "/backup", {"name": "b"})
            assert (tmp_path / "data" / "backups" / "a").exists(), "somebody holds it"
    assert not (tmp_path / "x").exists()


def test_no_room_for_a_snapshot_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with inside(tmp_path / "data") as server:
        monkeypatch.setattr(snapshot, "SLACK", 1 << 60)
        answer = server.http.post("/backup", json={})
        assert answer.status_code == 503
        assert "are free on the disk" in answer.json()["error"]["message"]
        monkeypatch.undo()
        monkeypatch.setattr(shutil, "copy2", _full)
        announce_file(tmp_path).touch()
        (tmp_path / "data" / "event-cursors.json").write_text("{}")
        answer = server.http.post("/backup", json={})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "Unavailable")
        assert [p for p in (tmp_path / "data" / "backups").iterdir() if p.is_dir()] == []
        assert server.ask("GET", "/health")["ready"]


def _full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_only_one_such_job_runs_at_a_time(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        assert server.platform.upkeep._busy.acquire(blocking=False)
        for method, path in (("POST", "/backup"), ("GET", "/check"), ("POST", "/compact")):
            answer = server.http.request(method, path, json={} if method == "POST" else None)
            assert answer.status_code == 503
            assert "under way" in answer.json()["error"]["message"]
        server.platform.upkeep._busy.release()
        server.ask("GET", "/check")


def test_damage_in_any_file_is_found_while_it_runs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with inside(data, tls=True) as server:
        server.pumps("pump-1")
        server.ingest("pump-1", flow=1.0)
        server.ask("POST", "/compact")
        assert server.ask("GET", "/check") == {"sound": True, "damage": [], "notes": []}
        [path] = (data / "history" / "segments").glob("*.seg")
        _flip(path, 60)
        _flip(next((data / "tls").glob("*.pem")), 40)
        (data / "event-cursors.json").write_bytes(b"{")
        (data / "notes.txt").touch()
        found = server.ask("GET", "/check")
    names = {one["file"] for one in found["damage"]}
    assert not found["sound"]
    assert f"history/segments/{path.name}" in names
    assert "event-cursors.json" in names
    assert any(name.startswith("tls/") for name in names)
    assert [one["file"] for one in found["notes"]] == ["notes.txt"]


def _flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0x80
    path.write_bytes(data)


# ---- retention ---------------------------------------------------------------------------------


def test_readings_older_than_the_setting_go(tmp_path: Path) -> None:
    with inside(tmp_path / "data", retention_days=2.0) as server:
        server.pumps("pump-1")
        server.ingest("pump-1", flow=1.0)
        server.ask("POST", "/compact")
        server.clock.advance(86_400)
        server.ingest("pump-1", flow=2.0)
        server.ask("POST", "/compact")
        assert len(server.ask("GET", "/history", **_flow())["series"][0]["value"]) == 2
        server.clock.advance(86_400 + 60)
        server.ask("POST", "/compact")
        assert server.ask("GET", "/history", **_flow())["series"][0]["value"] == [2.0]
        assert "gemel_readings_expired_total 1.0" in server.http.get("/metrics").text
        assert server.platform.history.statistics().expired == 1
        value = server.ask("GET", "/twins/pump-1")["properties"]
        assert next(p["value"] for p in value if p["name"] == "flow") == 2.0


def _flow() -> dict[str, str]:
    return {"twin": "pump-1", "property": "flow", "from": "2020-01-01T00:00:00Z"}


def test_a_snapshot_of_a_closed_history_is_an_error(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        history = server.platform.history
    with pytest.raises(GemelError, match="closed"):
        snapshot.take(tmp_path / "data", history, "x")
    assert not (tmp_path / "data" / "backups" / "x").exists()
