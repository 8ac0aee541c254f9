"""Backups: a folder each, complete in itself, with a manifest that is written last; and back.

What the backup before holds already (same name, size and SHA-256) is not copied but gets a second
name, so each backup can be deleted without touching the others.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import orjson

from gemel import __version__
from gemel.app.folder import INCOMPLETE
from gemel.app.snapshot import compact_name, held, need_room
from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.errors import Conflict, Damaged, GemelError, InvalidInput, NotFound, Unavailable

MANIFEST = "manifest.json"
FORMAT = 1
PARTIAL = ".partial"
PREFIX = "gemel-"
NAME = re.compile(r"gemel-\d{8}T\d{6}Z(-\d+)?", re.ASCII)
"""As backups are named here; what bears another name was named by somebody and stays."""
PIECE = 1 << 20


@dataclass(frozen=True)
class Stored:
    """What a backup or a restore did."""

    place: Path | str
    files: int
    bytes: int
    copied: int
    """Of these bytes, the ones that were not there already."""
    damage: tuple[str, ...] = ()
    """Known when it was made: it is in the backup as it was."""


def store(
    snapshot: Path, about: Json, target: Path, now: int, *, full: bool = False, keep: int = 0
) -> Stored:
    """Copies a snapshot into a new folder of `target`.

    Args:
        snapshot: a data folder at rest.
        about: what is in it, for the manifest.
        target: the folder of all backups; made if missing.
        now: names the backup.
        full: copies everything, whatever earlier backups hold.
        keep: so many of the newest whole backups stay; 0 for all.

    Raises:
        Unavailable: no room, or the folder cannot be written; nothing is left behind.
    """
    with _worded(f"the backup in {target}"):
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        with held(target / "backup"):
            made = _store(snapshot, about, target, now, full)
            if keep:
                _drop([one for one in whole(target) if NAME.fullmatch(one.name)][:-keep])
            return made


def _store(snapshot: Path, about: Json, target: Path, now: int, full: bool) -> Stored:
    for leftover in target.glob(f"{PREFIX}*{PARTIAL}"):
        shutil.rmtree(leftover)
    before = None if full else newest(target)
    known = {one["name"]: one for one in manifest(before)["files"]} if before else {}
    files = sorted(path for path in snapshot.rglob("*") if path.is_file())
    names = [path.relative_to(snapshot).as_posix() for path in files]
    sizes = [path.stat().st_size for path in files]
    news = [s for n, s in zip(names, sizes, strict=True) if known.get(n, {}).get("bytes") != s]
    need_room(target, sum(news))
    place = _free_name(target, now)
    partial = place.with_name(place.name + PARTIAL)
    partial.mkdir(mode=0o700)
    try:
        entries, copied = [], 0
        for name, source in zip(names, files, strict=True):
            old = None if before is None else before / name
            entry, is_new = _keep(source, name, partial / name, old, known.get(name))
            entries.append(entry)
            copied += entry["bytes"] * is_new
        size = sum(entry["bytes"] for entry in entries)
        _write_manifest(partial, content(FORMAT, about, entries, now))
        partial.rename(place)
        _sync(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Stored(place, len(entries), size, copied, tuple(about.get("damage", ())))


def content(form: int, about: Json, entries: list[Json], now: int) -> Json:
    """A manifest."""
    size = sum(entry["bytes"] for entry in entries)
    head: Json = {"format": form, "gemel": __version__, "time": to_iso(now), "bytes": size}
    return head | about | {"files": entries}


def _drop(backups: list[Path]) -> None:
    """Takes backups away; one that is half gone is seen to be no whole one."""
    for place in backups:
        partial = place.with_name(place.name + PARTIAL)
        place.rename(partial)
        shutil.rmtree(partial)


def _keep(
    source: Path, name: str, path: Path, old: Path | None, known: Json | None
) -> tuple[Json, bool]:
    """One file's entry in the manifest, and whether it had to be copied."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if old is not None and known is not None and _size(old) == known["bytes"] == _size(source):
        with source.open("rb") as data:
            digest = hashlib.file_digest(data, "sha256").hexdigest()
        if digest == known["sha256"] and _linked(old, path):
            return {"name": name, "bytes": known["bytes"], "sha256": digest}, False
    size, digest = copy(source, path)
    return {"name": name, "bytes": size, "sha256": digest}, True


def _linked(old: Path, new: Path) -> bool:
    try:
        os.link(old, new)
    except OSError:  # this disk knows no links: a copy it is
        return False
    return True


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def copy(source: Path, target: Path) -> tuple[int, str]:
    """Copies a file durably; (bytes, SHA-256) of what was written."""
    digest = hashlib.sha256()
    size = 0
    with source.open("rb") as data, target.open("xb") as written:
        os.fchmod(written.fileno(), source.stat().st_mode & 0o700)
        while piece := data.read(PIECE):
            digest.update(piece)
            written.write(piece)
            size += len(piece)
        _sync_file(written)
    return size, digest.hexdigest()


def _sync_file(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_all(folder: Path) -> None:
    """The names of all files below a folder, and its own."""
    for inner in (*(path for path in folder.rglob("*") if path.is_dir()), folder, folder.parent):
        _sync(inner)


def _write_manifest(folder: Path, content: Json) -> None:
    """Last of all, so that a backup with a manifest is a whole one."""
    _sync_all(folder)
    scratch = folder / f"{MANIFEST}.tmp"
    with scratch.open("xb") as written:
        written.write(orjson.dumps(content, option=orjson.OPT_INDENT_2))
        _sync_file(written)
    scratch.rename(folder / MANIFEST)
    _sync(folder)


def _free_name(target: Path, now: int) -> Path:
    place = target / (PREFIX + compact_name(now))
    for number in range(2, 1000):
        if not place.exists():
            break
        place = target / f"{PREFIX}{compact_name(now)}-{number}"
    return place


def whole(target: Path) -> list[Path]:
    """The whole backups of a folder, the oldest first."""
    found = sorted(path.parent for path in target.glob(f"{PREFIX}*/{MANIFEST}"))
    return [path for path in found if not path.name.endswith(PARTIAL)]


def newest(target: Path) -> Path | None:
    """The last whole backup of a folder."""
    found = whole(target)
    return found[-1] if found else None


def manifest(backup: Path) -> Json:
    """What a backup says it holds.

    Raises:
        NotFound: there is no whole backup.
        Damaged: the manifest cannot be read.
        InvalidInput: it is of a later version.
    """
    try:
        text = (backup / MANIFEST).read_bytes()
    except FileNotFoundError as error:
        inner = newest(backup) if backup.is_dir() else None
        hint = "one without a manifest was not finished: take another"
        raise NotFound(
            f"{backup} is no whole backup: it has no {MANIFEST}",
            hint=f"the newest one here is {inner}" if inner else hint,
        ) from error
    except OSError as error:
        raise Damaged(f"{backup / MANIFEST} cannot be read", hint="take another backup") from error
    return read_manifest(text, backup / MANIFEST, FORMAT, _is_entry)


def read_manifest(
    text: bytes, where: Path | str, form: int, is_entry: Callable[[Json], bool]
) -> Json:
    """The manifest of a backup, looked over.

    Args:
        text: what is stored.
        where: its place, for messages.
        form: the one that is known.
        is_entry: whether what is said of a file can be used.

    Raises:
        Damaged: it is not what was written.
        InvalidInput: it is of another version.
    """
    try:
        found = orjson.loads(text)
        is_of_form = found["format"] == form
        is_good = type(found["format"]) is int and type(found["bytes"]) is int
        is_good = is_good and (not is_of_form or all(is_entry(one) for one in found["files"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(f"{where} is damaged", hint="take another backup") from error
    if not is_good:
        raise Damaged(f"{where} is damaged", hint="take another backup")
    if not is_of_form:
        raise InvalidInput(
            f"{where} is of a backup of form {found['format']}; here {form} is known",
            hint=f"restore it with Gemel {found.get('gemel', 'of a later version')}",
        )
    return dict(found)


def is_inside(name: object) -> bool:
    """Whether a name stays below the folder it is to be in."""
    path = PurePosixPath(str(name))
    return type(name) is str and bool(name) and not path.is_absolute() and ".." not in path.parts


def _is_entry(entry: Json) -> bool:
    is_good = type(entry["bytes"]) is int and type(entry["sha256"]) is str
    return is_inside(entry["name"]) and is_good


def faults(backup: Path, check: Callable[[Path], str] | None = None) -> Iterator[Json]:
    """Files of a backup that are not what its manifest says, one at a time.

    Args:
        backup: its folder.
        check: gives the SHA-256 of a file; None looks at the sizes alone.
    """
    for entry in manifest(backup)["files"]:
        path = backup / entry["name"]
        size = _size(path)
        if size < 0:
            yield {"file": entry["name"], "what": "is missing"}
        elif size != entry["bytes"]:
            what = f"has {size:,} bytes; {entry['bytes']:,} were written"
            yield {"file": entry["name"], "what": what}
        elif check is not None and check(path) != entry["sha256"]:
            yield {"file": entry["name"], "what": "is not what was written (SHA-256)"}


def sha256(path: Path) -> str:
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def restore(backup: Path, data: Path) -> Stored:
    """Makes a data folder from a backup; each file is compared with the manifest as it is copied.

    Until it is whole, the folder holds a file `incomplete`, with which no server starts on it.

    Raises:
        NotFound: it is no whole backup.
        Conflict: the folder is not empty.
        Damaged: the backup is not what was written; nothing is left behind.
        Unavailable: no room, or the folder cannot be written.
    """
    about = manifest(backup)
    wrong = list(faults(backup))
    if wrong:
        raise not_as_written(backup, wrong)
    with filling(data, about["bytes"]):
        for entry in about["files"]:
            if copy(backup / entry["name"], made_in(data, entry["name"]))[1] != entry["sha256"]:
                what = "is not what was written (SHA-256)"
                raise not_as_written(backup, [{"file": entry["name"], "what": what}])
    return Stored(data, len(about["files"]), about["bytes"], about["bytes"])


@contextmanager
def filling(data: Path, size: int) -> Iterator[None]:
    """A data folder while it is filled from a backup: whole afterwards, or not there.

    Raises:
        Conflict: the folder is not empty.
        Unavailable: no room, or it cannot be written.
    """
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        what = "an unfinished restore" if (data / INCOMPLETE).exists() else "not empty"
        raise Conflict(f"{data} is {what}", hint="name a new folder, or move that one away")
    with _worded(f"{data}"):
        is_new = not data.exists()
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            need_room(data, size)
            (data / INCOMPLETE).write_text("a restore began here and has not finished\n")
            _sync_all(data)
            yield
            _sync_all(data)
            (data / INCOMPLETE).unlink()
            _sync(data)
        except BaseException:
            _empty(data, remove=is_new)
            raise


def made_in(data: Path, name: str) -> Path:
    """The path of a file that is to be written, its folders made."""
    path = data / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _empty(data: Path, *, remove: bool) -> None:
    for path in sorted(data.iterdir(), key=lambda path: path.name == INCOMPLETE):  # that one last
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    if remove:
        shutil.rmtree(data, ignore_errors=True)


def not_as_written(backup: Path | str, wrong: list[Json]) -> Damaged:
    details = [{"code": "Damaged", "message": f"{w['file']} {w['what']}"} for w in wrong]
    return Damaged(
        f"the backup {backup} is damaged; nothing was restored",
        hint="take another backup",
        details=details,
    )


@contextmanager
def _worded(what: str) -> Iterator[None]:
    """Turns the system's errors into ours."""
    try:
        yield
    except GemelError:
        raise
    except OSError as error:
        raise Unavailable(
            f"{what} cannot be written: {error.strerror or error}",
            hint="free some room or look after that disk; nothing of it was kept",
        ) from error
