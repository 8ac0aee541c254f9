"""What came of a stroke: `gemel check` on the folder, then a server asked for everything."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from damage.asked import Answers, answers
from damage.made import SETTINGS, Made
from damage.striking import Stroke
from gemel.cli.main import main
from running import Running

Differ = tuple[list[str], list[str]]
"""As `compared` gives it."""
SERVED_AS_TOLD = "documents"
"""Its chain is computed after the start: a server serves what is told to be damaged meanwhile."""


class Checked(NamedTuple):
    code: int
    damage: list[dict[str, Any]]
    notes: list[dict[str, Any]]
    trace: str

    def names(self, file: str) -> str:
        """How it tells of a file: `damage`, `note`, or not at all.

        One of a pair that must fit each other may stand for the other: a certificate and its key,
        a file and its sum, a database and its log.
        """
        for how, found in (("damage", self.damage), ("note", self.notes)):
            if any(_is_of(one["file"], file) for one in found):
                return how
        return ""


def _is_of(said: str, file: str) -> bool:
    folder, _, name = file.rpartition("/")
    plain = name.removeprefix(".").removesuffix(".sum") if name.endswith(".sum") else name
    pairs = {file, f"{folder}/{plain}".lstrip("/"), f"{folder}/.{plain}.sum".lstrip("/")}
    pairs |= {file.removesuffix("-wal"), f"{file}-wal"}
    if folder == "tls":
        half = name.partition(".")[0].partition("-")[0]
        return said.startswith(f"tls/{half}") or said in pairs
    return said in pairs or (file == "audit.key" and said == "gemel.sqlite")


def check(folder: Path) -> Checked:
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["check", "--data", str(folder), "--json"])
        found = json.loads(out.getvalue())
    except Exception as error:  # noqa: BLE001 - what the check must never do
        return Checked(-1, [], [], f"{type(error).__name__}: {error}")
    return Checked(code, found["damage"], found["notes"], "")


class Served(NamedTuple):
    """What a server on the folder came to."""

    started: bool
    said: str
    """On standard error."""
    answers: Answers
    died: str


def serve(folder: Path, made: Made, *words: str) -> Served:
    running = Running(folder, *words)
    running.environment, running.token = dict(SETTINGS), made.token
    try:
        running.start()
    except AssertionError:
        return Served(False, running.errors(), {}, "")
    died, found = "", Answers()
    try:
        found = answers(running, made)
    except (httpx.HTTPError, OSError, AssertionError, KeyError, ValueError) as error:
        died = f"{type(error).__name__}: {error}"
    if running.process.poll() is not None:
        died = f"it ended with {running.process.returncode}"
    elif (code := running.stop()) != 0:
        died = died or f"it stopped with {code}"
    return Served(True, running.errors(), found, died)


def means_the_same(before: Path, now: Path, file: str) -> bool:
    """Whether a file says what it said, though a bit of it is another: proven, not supposed."""
    with contextlib.suppress(Exception):  # what cannot be read does not mean the same
        if ".sqlite" in file:
            name = file.removesuffix("-wal").removesuffix("-shm")
            return _content(before / name) == _content(now / name)
        if file.startswith("tls/"):
            return _keys((before / file).read_bytes()) == _keys((now / file).read_bytes())
    return False


def _content(file: Path) -> Any:
    """All rows of a copy of a database, with its write-ahead log."""
    copy = file.with_name(f"looked-at-{file.name}")
    try:
        for end in ("", "-wal"):
            if (one := file.with_name(file.name + end)).exists():
                copy.with_name(copy.name + end).write_bytes(one.read_bytes())
        with contextlib.closing(sqlite3.connect(copy)) as database:
            database.text_factory = bytes
            schema = database.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()
            tables = [name.decode() for kind, name, _ in schema if kind == b"table"]
            rows = {t: database.execute(f'SELECT * FROM "{t}"').fetchall() for t in tables}
            return schema, rows, database.execute("PRAGMA user_version").fetchall()
    finally:
        for end in ("", "-wal", "-shm", "-journal"):
            copy.with_name(copy.name + end).unlink(missing_ok=True)


def _keys(data: bytes) -> bytes:
    if b"PRIVATE" in data:
        numbers = load_pem_private_key(data, None).private_numbers()  # type: ignore[union-attr]
        return repr(numbers.private_value).encode()  # type: ignore[union-attr]
    return load_pem_x509_certificate(data).public_bytes(Encoding.DER)


def judge(stroke: Stroke, checked: Checked, served: Served, differ: Differ, same: bool) -> str:
    """One word of `VERDICTS`; `same` where the file says what it said."""
    less, other = differ
    told = checked.names(stroke.file)
    if checked.trace:
        return "check died"
    if served.died:
        return "died"
    if not served.started and Path(stroke.file).name not in served.said:
        return "refused without its name"
    if other and not (told == "damage" and stroke.kind == SERVED_AS_TOLD):
        return "wrong"
    if told:
        return "found"
    is_nothing = stroke.kind == "means nothing" or same
    return "harmless" if is_nothing and served.started and not less else "not found"


VERDICTS = (
    "found", "harmless", "not found", "wrong", "died", "refused without its name", "check died",
)  # fmt: skip
BROKEN = frozenset({"wrong", "died", "refused without its name", "check died"})
"""What must never come of damage."""
