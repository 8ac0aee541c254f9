"""`gemel check` over data folders that were damaged in every way files can be."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from app.inside import Inside, inside, until
from gemel.app import certificates, event_cursors, sums
from gemel.app.event_cursors import FILE as CURSORS
from gemel.cli.main import main
from gemel.connect.mqtt import spool
from gemel.core.clock import system_clock
from gemel.services.contract import Fit, Instance
from gemel.services.packing import pack
from running import Running
from scene.shapes import cube

WHO = b'{"name": "d", "role": "device", "twins": ["d"], "session": "d", "five": false}'
SILENT = ("lock", "ballast", "server.json", "-wal", "-shm", "taken")
"""Ends of names of files that say nothing by themselves: made anew, or checked by others."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped installation that has a file of every kind."""
    folder = tmp_path_factory.mktemp("checkup") / "data"
    with inside(folder) as server:
        server.pumps("pump-1")
        for day in range(1, 4):
            _readings(server, day)
            server.platform.history.seal()
            if day == 2:
                server.platform.history.compact()
        _readings(server, 4)
        _keep_files(server)
    writer = spool.Writer(folder / spool.FOLDER / "00000001")
    for _ in range(2):
        writer.rotate()
        for number in range(3):
            writer.append(
                [
                    spool.entry(spool.IDENTITY, 1, WHO, number),
                    spool.entry(spool.PACKETS, 1, b"\x30\x03\x00\x01d", number),
                ]
            )
    writer.close()
    certificates.server_files(folder / "tls", ["localhost"], system_clock)
    event_cursors.write(folder / CURSORS, "urn:uuid:1", {"alarms": 1234})
    for name in ("scenarios/wider.pack", "runs/r-1/result.pack"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(pack({"of": name}, {"value": np.arange(50.0)}))
    log = folder / "runs/r-1/log.txt"
    log.write_text("it went well\n")
    sums.seal(log)
    return folder


def _keep_files(server: Inside) -> None:
    """What documents name, an edit of every kind of value, a retained message, a checkpoint."""
    key = "00000000-0000-4000-8000-000000000001"
    server.http.put(
        f"/attachments/{key}",
        params={"twin": "pump-1"},
        content=b"looks worn",
        headers={"Content-Type": "text/plain"},
    ).raise_for_status()
    server.http.post("/geometries", content=cube()).raise_for_status()
    fits = server.platform.services.fits
    fit = Fit({"a": 1}, {"w": np.arange(20.0)})
    server.run(fits.take(Instance("mine", "anomaly", (), {}), fit, "r-1", "test"))
    with server.device("pump-1", client_id="pump-1", clean=False) as device:
        device.subscribe("devices/pump-1/#")
        message = device.client.publish("devices/pump-1/telemetry", b'{"flow": 2}', 1, retain=True)
        message.wait_for_publish(60)
    server.ask("POST", "/audit/checkpoint")
    server.http.put("/imports/plant.ndjson", content=b'{"Section": "Header"}\n').raise_for_status()
    server.ask("PUT", "/jobs/imports/j", {"inputBlobUri": "plant.ndjson", "outputBlobUri": "log"})
    log = server.platform.folder.path / "imports" / "log"
    until(lambda: log.exists() and sums.unsummed(log) == 0 and sums.read(log), "a job")


def _readings(server: Inside, day: int) -> None:
    rows = [
        {
            "time": f"2026-01-{day:02}T00:{n // 60:02}:{n % 60:02}Z",
            "flow": n / 8,
            "mode": f"m{n % 3}",
        }
        for n in range(200)
    ]
    server.ask("POST", "/ingest/pump-1", body=rows)
    server.ask("POST", "/ingest/pump-1", body={"strange": 1})


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def spoilt(folder: Path, chance: random.Random) -> tuple[str, list[str]]:
    """Damages one or two files; how, and which."""
    every = [name for name in files(folder) if not name.endswith(SILENT)]
    name = chance.choice(every)
    path = folder / name
    data = bytearray(path.read_bytes())
    how = chance.choice(["flip", "cut", "empty", "delete", "swap", "zero", "longer", "folder"])
    if how == "flip":
        place = chance.randrange(len(data))
        data[place] ^= 1 << chance.randrange(8)
        how = f"flip {place} of {len(data)}"
    elif how == "cut":
        place = chance.randrange(len(data))
        how = f"cut {place} of {len(data)}"
        del data[place:]
    elif how == "empty":
        data.clear()
    elif how == "zero":
        place = chance.randrange(len(data))
        data[place : place + 512] = bytes(len(data[place : place + 512]))
    elif how == "longer":
        data += chance.randbytes(100)
    elif how == "swap":
        other = folder / chance.choice([one for one in every if one != name])
        there = other.read_bytes()
        other.write_bytes(data)
        path.write_bytes(there)
        return how, [name, str(other.relative_to(folder))]
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how != "delete":
        path.write_bytes(data)
    return how, [name]


def checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict]:
    capsys.readouterr()
    code = main(["check", "--data", str(folder), "--json"])
    return code, orjson.loads(capsys.readouterr().out)


STRICT = ("history/segments/", "history/checkpoints/", "history/rejects/")
"""Every byte of these has a checksum, and none of them ever ends torn."""


def content(folder: Path, name: str) -> Any:
    """What stands in a database, or that it cannot be read."""
    try:
        with sqlite3.connect(folder / name) as database:
            database.text_factory = bytes
            tables = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            names = sorted(one.decode() for (one,) in tables.fetchall())
            found = [database.execute(f'SELECT * FROM "{one}"').fetchall() for one in names]
            version = database.execute("PRAGMA user_version").fetchall()
        return names, found, version
    except (sqlite3.Error, UnicodeDecodeError):
        return None
    finally:
        database.close()


@pytest.mark.parametrize("part", range(4))
def test_every_flipped_bit_that_means_something_is_named(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], part: int
) -> None:
    every = [n for n in files(whole) if not n.endswith(SILENT)]
    chance = random.Random(part)
    databases = [name for name in every if name.endswith(".sqlite")]
    for name in [*every[part::4], *databases * 8]:
        folder = tmp_path / "data"
        shutil.copytree(whole, folder)
        data = bytearray((folder / name).read_bytes())
        # of keys and certificates a line of what is encoded: an end of a line may be any space
        begin, end = (30, 60) if name.endswith((".pem", ".key")) else (0, len(data))
        place = chance.randrange(begin, end)
        data[place] ^= 1 << chance.randrange(8)
        (folder / name).write_bytes(data)
        _code, found = checked(folder, capsys)
        said = {one["file"] for one in found["damage"] + found["notes"]}
        # one of a pair of files that do not fit each other may be the one that was not touched
        is_named = any(one.partition(".")[0].partition("-")[0] in name for one in said)
        if not (is_named and said):
            assert name in databases, (name, place, found)
            assert content(folder, name) == content(whole, name), (name, place)
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("word", "other"),
    [
        (b'"sha256"', b'"sha255"'),
        (b'"versions"', b'"version\xf3"'),
        (b'"caption"', b'"capti\x00n"'),
        (b'"sha256":"', b'"sha256":['),
    ],
)
def test_a_document_of_a_file_that_says_nothing_any_more_is_named(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], word: bytes, other: bytes
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(whole, folder)
    file = folder / "gemel.sqlite"
    assert word in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(word, other))
    code, found = checked(folder, capsys)
    assert code == 1
    assert {one["file"] for one in found["damage"]} == {"gemel.sqlite"}


def test_a_document_whose_words_were_changed_is_named_by_its_edit(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(whole, folder)
    file = folder / "gemel.sqlite"
    file.write_bytes(file.read_bytes().replace(b'"degreeCelsius"', b'"degreeKelvins"'))
    code, found = checked(folder, capsys)
    assert code == 1
    [damage] = found["damage"]
    assert damage["file"] == "gemel.sqlite"
    assert "the model 'dtmi:test:Pump;1'" in damage["what"]
    assert "is not what was written" in damage["what"]


def test_a_server_that_cannot_use_a_document_names_the_file(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(whole, folder)
    file = folder / "gemel.sqlite"
    file.write_bytes(file.read_bytes().replace(b'"$model":', b'"$modal":'))
    running = Running(folder)
    with pytest.raises(AssertionError, match="did not start") as caught:
        running.start()
    assert "gemel.sqlite" in str(caught.value)
    assert "the stored twin 'pump-1' cannot be used" in str(caught.value)
    assert "restore a backup" in str(caught.value)


@pytest.mark.parametrize("seed", [*range(1, 20), None])
def test_damage_is_named_and_never_a_traceback(whole, tmp_path, capsys, seed):
    folder = tmp_path / "data"
    shutil.copytree(whole, folder)
    chance = random.Random(seed)
    how, names = spoilt(folder, chance)
    code, found = checked(folder, capsys)
    assert code == int(bool(found["damage"]))
    assert found["sound"] == (not found["damage"])
    said = [one["file"] for one in found["damage"]]
    if how not in ("delete", "swap") and names[0].startswith(STRICT):
        assert names[0] in said, (how, names, found)
    if how not in ("delete", "swap") and names[0] == "history/log/00000004.wal":
        assert names[0] in said + [one["file"] for one in found["notes"]], (how, found)
    if how == "folder":
        assert names[0] in said, found
    for one in found["damage"] + found["notes"]:
        assert one["what"]
        assert one.get("offset", 0) >= 0


def test_an_undamaged_installation_is_sound(whole, capsys):
    assert checked(whole, capsys) == (0, {"sound": True, "damage": [], "notes": []})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("history/log/00000004.wal", "history/log/00000005.wal"),
        ("history/log/00000004.wal", "history/checkpoints/00000004.ckpt"),
        ("history/segments/00000001-00000002.seg", "history/segments/00000003-00000003.seg"),
        ("history/segments/00000001-00000002.seg.1m", "history/segments/00000001-00000002.seg.1h"),
        ("history/segments/00000003-00000003.seg", "history/series.jsonl"),
        ("gemel.sqlite", "mqtt.sqlite"),
    ],
)
def test_files_that_changed_places_are_named(whole, tmp_path, capsys, first, second):
    folder = tmp_path / "data"
    shutil.copytree(whole, folder)
    (folder / first).rename(tmp_path / "aside")
    (folder / second).rename(folder / first)
    (tmp_path / "aside").rename(folder / second)
    code, found = checked(folder, capsys)
    assert code == 1
    assert {first, second} & {one["file"] for one in found["damage"]}


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("history/series.jsonl", "the names of series 0 to"),
        ("history/log/00000004.wal", "records at the end of log file 4 are missing"),
        ("gemel.sqlite", "it was emptied"),
        ("mqtt.sqlite", "has no row"),
        ("history/checkpoints/00000004.ckpt", "ends inside its header"),
    ],
)
def test_a_file_that_was_emptied_is_named(whole, tmp_path, capsys, name, what):
    folder = tmp_path / "data"
    shutil.copytree(whole, folder)
    (folder / name).write_bytes(b"")
    code, found = checked(folder, capsys)
    assert code == 1
    assert any(one["file"] == name and what in one["what"] for one in found["damage"]), found


def test_the_lines_for_people_name_file_and_offset(whole, tmp_path, capsys):
    folder = tmp_path / "data"
    shutil.copytree(whole, folder)
    name = "history/segments/00000003-00000003.seg"
    data = bytearray((folder / name).read_bytes())
    data[60] ^= 1
    (folder / name).write_bytes(data)
    assert main(["check", "--data", str(folder)]) == 1
    told = capsys.readouterr()
    assert f"DAMAGED  {name}, bytes 32 to" in told.out + told.err
