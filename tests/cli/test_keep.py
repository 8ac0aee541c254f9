"""gemel backup, restore, check and compact: on a running server and on a folder at rest."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.inside import Inside, inside
from gemel.app.folder import DataFolder
from gemel.backends.sqlite import MIGRATIONS, SqliteDocuments
from gemel.cli.main import main
from gemel.core import fast
from gemel.core.document import Edit


def gemel(*words: str | Path) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = int(end.code or 0)
    return code, out.getvalue(), err.getvalue()


def ask(*words: str | Path) -> Any:
    code, out, err = gemel(*words, "--json")
    assert code == 0, err
    return orjson.loads(out)


@pytest.fixture(autouse=True)
def as_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """`check` notes it where the fast path is not compiled; what it says of folders is judged."""
    monkeypatch.setattr(fast, "slower", "")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    folder = tmp_path_factory.mktemp("keep") / "data"
    with inside(folder) as found:
        found.pumps("pump-1")
        for second in range(10):
            found.ingest("pump-1", flow=second, time=f"2026-01-01T00:00:{second:02d}Z")
        yield found


@pytest.fixture
def running(server: Inside, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEMEL_URL", "http://127.0.0.1:9")  # another server: not the folder's
    monkeypatch.setenv("GEMEL_TOKEN", "gml_of-another")
    return server.platform.folder.path


@pytest.fixture(scope="module")
def at_rest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rest") / "data"
    with inside(folder) as found:
        found.pumps("pump-1")
        for second in range(3):
            found.ingest("pump-1", flow=second, time=f"2026-01-01T00:00:{second:02d}Z")
            found.platform.history.seal()
        found.ingest("pump-1", flow=7.0)
        found.ingest("pump-1", flow=8.0)
    return folder


@pytest.fixture
def stopped(at_rest: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(at_rest, tmp_path / "data"))


def readings(folder: Path) -> int:
    with inside(folder) as found:
        return int(found.ask("GET", "/status")["readings"])


def test_backup_and_restore_while_it_runs(running: Path, tmp_path: Path) -> None:
    code, out, err = gemel("backup", tmp_path / "b", "--data", running)
    assert (code, err) == (0, "")
    [place] = (tmp_path / "b").glob("gemel-*")
    assert out.startswith(f"Backed up to {place}\n")
    assert "copied" in out
    assert list((running / "backups").iterdir()) == []
    again = ask("backup", tmp_path / "b", "--data", running)
    assert 0 < again["copied"] <= again["bytes"]
    code, out, _ = gemel("restore", again["folder"], "--data", tmp_path / "new")
    assert code == 0
    assert f"gemel serve --data {tmp_path / 'new'}" in out
    assert gemel("check", "--data", tmp_path / "new")[:2] == (0, "sound\n")
    assert readings(tmp_path / "new") == 10


def test_backup_and_restore_of_a_folder_at_rest(stopped: Path, tmp_path: Path) -> None:
    made = ask("backup", tmp_path / "b", "--data", stopped)
    assert made["copied"] == made["bytes"] > 0
    second = ask("backup", tmp_path / "b", "--data", stopped, "--full")
    assert second["copied"] == second["bytes"]
    restored = ask("restore", made["folder"], "--data", tmp_path / "new")
    assert restored["files"] == made["files"]
    assert readings(tmp_path / "new") == readings(stopped) == 5


def test_a_backup_into_the_data_folder_is_refused(stopped: Path) -> None:
    for target in (stopped, stopped / "backups", stopped / "b" / ".." / "c"):
        code, _, err = gemel("backup", target, "--data", stopped)
        assert code == 1
        assert "lies in the data folder" in err


def test_a_folder_without_data_is_told(tmp_path: Path) -> None:
    for words in (("backup", tmp_path / "b"), ("check",), ("compact",)):
        code, _, err = gemel(*words, "--data", tmp_path / "nothing")
        assert code == 1
        assert "there is no data in" in err
    assert not (tmp_path / "nothing").exists()
    code, _, err = gemel("restore", tmp_path, "--data", tmp_path / "new")
    assert code == 1
    assert "no whole backup" in err


def test_check_says_sound_and_changes_nothing_at_rest(stopped: Path) -> None:
    before = sorted((p, p.read_bytes()) for p in (stopped / "history").rglob("*") if p.is_file())
    code, out, err = gemel("check", "--data", stopped)
    assert (code, out, err) == (0, "sound\n", "")
    after = sorted((p, p.read_bytes()) for p in (stopped / "history").rglob("*") if p.is_file())
    assert after == before
    assert ask("check", "--data", stopped) == {"sound": True, "damage": [], "notes": []}


def test_check_of_a_running_server_asks_it(running: Path) -> None:
    code, out, err = gemel("check", "--data", running)
    assert (code, out, err) == (0, "sound\n", "")


def _change(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


@pytest.mark.parametrize("kind", ["segment", "log", "pages", "index", "edits", "sessions"])
def test_damage_of_every_kind_is_named_and_the_exit_code_is_1(kind: str, stopped: Path) -> None:
    history = stopped / "history"
    if kind in ("segment", "log"):
        pattern = "segments/*" if kind == "segment" else "log/*"
        path = max(history.glob(pattern), key=lambda p: p.stat().st_size)
        data = bytearray(path.read_bytes())
        data[50] ^= 1
        path.write_bytes(data)
    elif kind == "sessions":
        path = stopped / "mqtt.sqlite"
        path.write_bytes(b"no database" * 1000)
    elif kind == "pages":
        path = stopped / "gemel.sqlite"
        data = bytearray(path.read_bytes())
        data[4096 : 4096 * 3] = bytes(4096 * 2)
        path.write_bytes(data)
    elif kind == "index":
        path = stopped / "gemel.sqlite"
        _sql(path, "DROP INDEX edits_of")
    else:
        path = stopped / "gemel.sqlite"
        _sql(path, "UPDATE edits SET doc = X'7B' WHERE seq = 1")
    code, out, _ = gemel("check", "--data", stopped)
    assert code == 1
    assert f"DAMAGED  {path.relative_to(stopped)}" in out
    assert "damaged place" in out.splitlines()[-1]


def _sql(path: Path, text: str) -> None:
    import sqlite3

    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(text)
    connection.close()


def test_a_missing_database_and_a_missing_history_are_damage(stopped: Path) -> None:
    shutil.rmtree(stopped / "history")
    code, out, _ = gemel("check", "--data", stopped)
    assert code == 1
    assert "so are all readings" in out
    (stopped / "history").mkdir()
    (stopped / "gemel.sqlite").unlink()
    code, out, _ = gemel("check", "--data", stopped)
    assert code == 1
    assert "DAMAGED  gemel.sqlite: is missing" in out


def test_check_of_a_backup_compares_it_with_its_manifest(stopped: Path, tmp_path: Path) -> None:
    place = Path(ask("backup", tmp_path / "b", "--data", stopped)["folder"])
    assert gemel("check", "--data", place)[:2] == (0, "sound\n")
    [segment] = (place / "history" / "segments").glob("*3.seg")
    segment.unlink()
    (place / "history" / "series.jsonl").write_bytes(b"")
    code, out, _ = gemel("check", "--data", place)
    assert code == 1
    assert f"DAMAGED  history/segments/{segment.name}: is missing" in out
    assert "DAMAGED  history/series.jsonl: has 0 bytes" in out


def test_compact_at_rest_merges_and_frees_room(stopped: Path) -> None:
    for i in range(300):
        _sql(
            stopped / "gemel.sqlite",
            f"INSERT INTO checkpoints VALUES (0, zeroblob(4000), {i}, '', '')",
        )
    _sql(stopped / "gemel.sqlite", "DELETE FROM checkpoints WHERE seq = 0")
    found = ask("compact", "--data", stopped)
    assert found["segments"]["after"] == 1 < found["segments"]["before"]
    assert found["databases"] > 1_000_000
    assert gemel("check", "--data", stopped)[0] == 0
    assert readings(stopped) == 5
    code, out, _ = gemel("compact", "--data", stopped)
    assert code == 0
    assert "freed in the databases" in out


def test_compact_of_a_running_server_asks_it(running: Path, server: Inside) -> None:
    before = server.ask("GET", "/status")["readings"]
    found = ask("compact", "--data", running)
    assert found["segments"]["after"] == 1
    assert found["readings"] == before
    assert "databases" not in found
    code, out, _ = gemel("compact", "--data", running)
    assert code == 0
    assert "1 segments became 1" in out


def test_a_folder_in_use_without_an_address_is_told(stopped: Path, tmp_path: Path) -> None:
    folder = DataFolder(stopped)
    try:
        for words in (("backup", tmp_path / "b"), ("check",), ("compact",)):
            code, _, err = gemel(*words, "--data", stopped)
            assert code == 1
            assert "has not started yet" in err
    finally:
        folder.close()


def test_beside_an_older_server_it_says_so_and_changes_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    folder = DataFolder(data)
    older = SqliteDocuments(data / "gemel.sqlite", MIGRATIONS[:2])
    folder.announce({"http": "http://127.0.0.1:9", "mqtt": "127.0.0.1:9"})
    for words in (("token", "list"), ("check",), ("link",)):
        code, _, err = gemel(*words, "--data", data)
        assert code != 0
        assert "a server of an older version has" in err, err
        assert "use the gemel of that server" in err
    older.commit([Edit("twin", "a", {}, 1, "test", "")])
    older.close()
    folder.close()
    assert gemel("token", "list", "--data", data)[0] == 0
