"""The audit log is a chain: whatever is changed, taken out, moved or cut off is found and named."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.calling import Done, call
from app.inside import PUMP, Inside, inside
from gemel.app import audit
from gemel.backends.sqlite import MIGRATIONS, SqliteDocuments
from gemel.core.document import Edit

NOW = 1_700_000_000_000_000_000


def edits(count: int, start: int = 0) -> list[Edit]:
    return [
        Edit(
            "command", f"c-{n}", {"id": n, "password": "x"} if n % 3 else None, NOW + n, "ann", "w"
        )
        for n in range(start, start + count)
    ]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gemel.sqlite"
    documents = SqliteDocuments(path)
    documents.commit(edits(10))
    documents.commit(edits(10, 10))
    documents.close()
    return path


def change(file: Path, *statements: str) -> None:
    with sqlite3.connect(file) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_a_log_that_nobody_touched_is_whole(file: Path) -> None:
    found = audit.verify(file)
    assert (found.broken, found.edits) == ("", 20)
    assert found.hash != audit.Finding().hash


@pytest.mark.parametrize(
    ("statement", "seq", "words"),
    [
        ("UPDATE edits SET doc = '{\"id\":99}' WHERE seq = 8", 8, "it, or its place, was changed"),
        ("UPDATE edits SET who = 'bob' WHERE seq = 8", 8, "by bob"),
        ("UPDATE edits SET time = time + 1 WHERE seq = 8", 8, "was changed"),
        ("UPDATE edits SET why = '' WHERE seq = 1", 1, "was changed"),
        ("UPDATE edits SET hash = zeroblob(32) WHERE seq = 20", 20, "was changed"),
        ("DELETE FROM edits WHERE seq = 8", 9, "does not follow on edit 7: 8 before it"),
        ("DELETE FROM edits WHERE seq IN (1, 2)", 3, "1 to 2 before it was taken out"),
    ],
)
def test_what_was_changed_or_taken_out_is_named(
    file: Path, statement: str, seq: int | None, words: str
) -> None:
    change(file, statement)
    found = audit.verify(file)
    assert found.seq == seq
    assert words in found.broken


def test_edits_that_changed_places_are_found(file: Path) -> None:
    change(
        file,
        "UPDATE edits SET seq = 99 WHERE seq = 5",
        "UPDATE edits SET seq = 5 WHERE seq = 6",
        "UPDATE edits SET seq = 6 WHERE seq = 99",
    )
    assert audit.verify(file).seq == 5


def test_an_end_that_was_cut_off_is_found_by_a_checkpoint(file: Path) -> None:
    kept = audit.sign(file.parent, file, NOW)
    change(file, "DELETE FROM edits WHERE seq > 15")
    found = audit.verify(file)
    assert "the log ends at edit 15" in found.broken
    assert "edit 20: the end was cut off" in found.broken
    change(file, "DELETE FROM checkpoints")
    assert audit.verify(file).broken == ""  # nothing in the file tells any more
    assert "was cut off" in audit.verify(file, [kept]).broken


def test_a_log_that_was_written_anew_is_found_by_a_checkpoint(file: Path, tmp_path: Path) -> None:
    kept = audit.sign(file.parent, file, NOW)
    forged = tmp_path / "forged.sqlite"
    documents = SqliteDocuments(forged)
    documents.commit([*edits(7), Edit("command", "c-7", {"id": 1}, NOW, "eve"), *edits(12, 8)])
    documents.close()
    assert audit.verify(forged).broken == ""
    assert "was written anew" in audit.verify(forged, [kept]).broken
    assert "another key" in audit.verify(file, [kept], "00" * 32).broken


def test_a_checkpoint_that_was_changed_does_not_hold(file: Path) -> None:
    audit.sign(file.parent, file, NOW)
    assert (file.parent / audit.KEY_FILE).stat().st_mode & 0o077 == 0
    change(file, "UPDATE checkpoints SET time = time + 1")
    assert "a signature that does not fit" in audit.verify(file).broken


def test_a_folder_of_an_older_version_is_chained_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "gemel.sqlite"
    connection = sqlite3.connect(path)
    MIGRATIONS[0](connection)
    connection.execute("PRAGMA application_id=1195724108")
    connection.execute("PRAGMA user_version=1")
    rows = [(f"c-{n}", b'{"n":1}' if n % 5 else None, NOW + n) for n in range(20_500)]
    connection.executemany(
        "INSERT INTO edits (kind, key, doc, time, who, why, etag)"
        " VALUES ('x', ?, ?, ?, 'a', '', '')",
        rows,
    )
    connection.commit()
    connection.execute(
        "INSERT INTO documents SELECT kind, key, doc, time, who, etag FROM edits"
        " WHERE doc IS NOT NULL"
    )
    connection.commit()
    connection.close()
    with pytest.raises(Exception, match="has no chain yet"):
        audit.verify(path)
    documents = SqliteDocuments(path)
    documents.commit(edits(3))
    documents.close()
    found = audit.verify(path)
    assert (found.broken, found.edits) == ("", 20_503)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["rule", "command"]),
            st.text(max_size=5),
            st.none()
            | st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False) | st.text()),
            st.text(max_size=5),
        ),
        min_size=1,
        max_size=12,
    ),
    st.data(),
)
def test_any_change_of_any_row_is_found(
    tmp_path: Path, rows: list[Any], data: st.DataObject
) -> None:
    path = tmp_path / f"{len(os.listdir(tmp_path))}.sqlite"
    documents = SqliteDocuments(path)
    documents.commit([Edit(kind, key, doc, NOW, who) for kind, key, doc, who in rows])
    documents.close()
    lines = [orjson.dumps(row) for row in audit.export(path)]
    assert audit.verify(path).edits == audit.verify_export(lines).edits == len(rows)
    seq = data.draw(st.integers(1, len(rows)))
    column = data.draw(st.sampled_from(["kind", "key", "who", "why", "etag"]))
    change(path, f"UPDATE edits SET {column} = {column} || 'x' WHERE seq = {seq}")
    assert audit.verify(path).seq == seq


def test_an_export_withholds_secrets_and_is_verified_elsewhere(file: Path) -> None:
    lines = [orjson.dumps(row) for row in audit.export(file)]
    assert b'"password":"(withheld)"' in lines[1]
    assert audit.verify_export(lines).broken == ""
    assert audit.verify_export([*lines[:5], *lines[6:]]).seq == 7
    forged = lines[3].replace(b'"ann"', b'"eve"')
    assert audit.verify_export([*lines[:3], forged, *lines[4:]]).seq == 4
    kept = audit.sign(file.parent, file, NOW)
    assert "was cut off" in audit.verify_export(lines[:-1], [kept]).broken


def test_secrets_are_withheld_at_any_depth() -> None:
    doc = {"name": "a", "authorization": {"header": "x"}, "list": [{"clientSecret": "s", "ok": 1}]}
    assert audit.withheld(doc) == {
        "name": "a",
        "authorization": "(withheld)",
        "list": [{"clientSecret": "(withheld)", "ok": 1}],
    }


# ---- of a running server -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("audit") / "data") as found:
        found.pumps("pump-1")
        yield found


def cli(server: Inside, *words: str) -> Done:
    return call("audit", *words, "--data", str(server.platform.folder.path))


def test_who_did_what_is_listed_with_filters(server: Inside) -> None:
    server.ask("POST", "/commands", {"twin": "pump-1", "command": "stop", "id": "a-1"})
    server.ask("POST", "/killswitch/stop", {"reason": "smoke"})
    server.ask("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 80 °C"})
    rows = server.ask("GET", "/audit", kind="control")["value"]
    assert [(r["who"], r["key"], r["why"]) for r in rows[:1]] == [
        ("admin", "kill-switch", "kill switch")
    ]
    of_command = server.ask("GET", "/audit", key="a-1", docs="true")["value"]
    assert of_command[-1]["doc"]["state"] == "queued"
    assert server.ask("GET", "/audit", who="nobody")["value"] == []
    first = server.ask("GET", "/audit", limit=2)
    second = server.ask("GET", "/audit", limit=2, cursor=first["cursor"])
    seqs = [r["seq"] for r in first["value"] + second["value"]]
    assert seqs == sorted(seqs, reverse=True)
    assert len(set(seqs)) == 4
    kinds = {r["kind"] for r in server.ask("GET", "/audit", limit=1000)["value"]}
    assert {"token", "model", "twin", "rule", "control", "command"} <= kinds


def test_the_command_line_verifies_a_running_server(server: Inside, tmp_path: Path) -> None:
    server.ask("POST", "/killswitch/stop", {"reason": "drill"})
    server.ask("POST", "/killswitch/resume", {})
    done = cli(server, "checkpoint")
    kept = tmp_path / "kept.jsonl"
    kept.write_text(done.stdout)
    found = cli(server, "verify", "--checkpoint", str(kept), "--json")
    assert found.returncode == 0, found.stderr
    assert orjson.loads(found.stdout)["isWhole"]
    key = orjson.loads(done.stdout)["key"]
    assert cli(server, "verify", "--key", key).returncode == 0
    assert cli(server, "verify", "--key", "ab").returncode == 1
    export = tmp_path / "export.jsonl"
    assert cli(server, "export", str(export)).returncode == 0
    assert cli(server, "verify", "--export", str(export)).returncode == 0
    export.write_bytes(b"".join(export.read_bytes().splitlines(True)[:-3]))
    cut = cli(server, "verify", "--export", str(export), "--checkpoint", str(kept))
    assert (cut.returncode, "was cut off" in cut.stderr) == (1, True)
    assert "kill switch" in cli(server, "list", "--kind", "control").stdout


def test_a_broken_chain_is_exit_code_1_and_names_the_row(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as found:
        found.pumps("pump-1")
    file = tmp_path / "data" / "gemel.sqlite"
    change(file, "UPDATE edits SET who = 'eve' WHERE seq = 3")
    done = call("audit", "verify", "--data", str(tmp_path / "data"))
    assert done.returncode == 1
    assert "edit 3 (the " in done.stderr
    assert "by eve" in done.stderr
    assert done.stdout == "the 2 edits before it are whole\n"
