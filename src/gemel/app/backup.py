"""Backups: a folder each, complete in itself, with a manifest that is written last; and back.

What the backup before holds already (same name, size and SHA-256) is not copied but gets a second
name, so each backup can be deleted without touching the others.
"""

from __future__ import annotations

import hashlib
import os
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
PIECE = 1 << 20


@dataclass(frozen=True)
class Stored:
    """What a backup or a restore did."""

    place: Path
    files: int
    bytes: int
    copied: int
    """Of these bytes, the ones that were not there already."""
    damage: tuple[str, ...] = ()
    """Known when it was made: it is in the backup as it was."""


def store(snapshot: Path, about: Json, target: Path, now: int, *, full: bool = False) -> Stored:
    """Copies a snapshot into a new folder of `target`.

    Args:
        snapshot: a data folder at rest.
        about: what is in it, for the manifest.
        target: the folder of all backups; made if missing.
        now: names the backup.
        full: copies everything, whatever earlier backups hold.

    Raises:
        Unavailable: no room, or the folder cannot be written; nothing is left behind.
    """
    with _worded(f"the backup in {target}"):
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        with held(target / "backup"):
            return _store(snapshot, about, target, now, full)


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
        _write_manifest(
            partial,
            {"format": FORMAT, "gemel": __version__, "time": to_iso(now), "bytes": size}
            | about
            | {"files": entries},
        )
        partial.rename(place)
        _sync(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Stored(place, len(entries), size, copied, tuple(about.get("damage", ())))


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


def newest(target: Path) -> Path | None:
    """The last whole backup of a folder."""
    found = sorted(path.parent for path in target.glob(f"{PREFIX}*/{MANIFEST}"))
    found = [path for path in found if not path.name.endswith(PARTIAL)]
    return found[-1] if found else None


def manifest(backup: Path) -> Json:
    """What a backup says it holds.

    Raises:
        NotFound: there is no whole backup.
        Damaged: the manifest cannot be read.
        InvalidInput: it is of a later version.
    """
    try:
        found = orjson.loads((backup / MANIFEST).read_bytes())
        entries = found["files"]
        is_good = all(_is_entry(entry) for entry in entries) and type(found["format"]) is int
    except FileNotFoundError as error:
        inner = newest(backup) if backup.is_dir() else None
        hint = "one without a manifest was not finished: take another"
        raise NotFound(
            f"{backup} is no whole backup: it has no {MANIFEST}",
            hint=f"the newest one here is {inner}" if inner else hint,
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _bad_manifest(backup) from error
    if not is_good:
        raise _bad_manifest(backup)
    if found["format"] != FORMAT:
        raise InvalidInput(
            f"{backup} is a backup of form {found['format']}; this program knows {FORMAT}",
            hint=f"restore it with Gemel {found.get('gemel', 'of a later version')}",
        )
    return dict(found)


def _is_entry(entry: Json) -> bool:
    name = entry["name"]
    path = PurePosixPath(name)
    is_inside = bool(name) and not path.is_absolute() and ".." not in path.parts
    return is_inside and type(entry["bytes"]) is int and type(entry["sha256"]) is str


def _bad_manifest(backup: Path) -> Damaged:
    return Damaged(f"{backup / MANIFEST} is damaged", hint="take another backup")


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
        raise _not_as_written(backup, wrong)
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        what = "an unfinished restore" if (data / INCOMPLETE).exists() else "not empty"
        raise Conflict(f"{data} is {what}", hint="name a new folder, or move that one away")
    with _worded(f"{data}"):
        is_new = not data.exists()
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            need_room(data, about["bytes"])
            (data / INCOMPLETE).write_text("a restore began here and has not finished\n")
            _sync_all(data)
            for entry in about["files"]:
                path = data / entry["name"]
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                if copy(backup / entry["name"], path)[1] != entry["sha256"]:
                    what = "is not what was written (SHA-256)"
                    raise _not_as_written(backup, [{"file": entry["name"], "what": what}])
            _sync_all(data)
            (data / INCOMPLETE).unlink()
            _sync(data)
        except BaseException:
            _empty(data, remove=is_new)
            raise
    return Stored(data, len(about["files"]), about["bytes"], about["bytes"])


def _empty(data: Path, *, remove: bool) -> None:
    for path in sorted(data.iterdir(), key=lambda path: path.name == INCOMPLETE):  # that one last
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    if remove:
        shutil.rmtree(data, ignore_errors=True)


def _not_as_written(backup: Path, wrong: list[Json]) -> Damaged:
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
