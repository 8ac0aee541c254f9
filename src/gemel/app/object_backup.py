"""Backups in S3, Azure Blob Storage or a folder by name: pieces, and a manifest written last.

    pieces/ab/abcd...                 up to 8 MiB of a file, named by its SHA-256, stored once
    manifests/gemel-TIME.json         a whole backup: its files, and the pieces of each
    unfinished/gemel-TIME-....json    who works there or was interrupted (`app/object_work.py`)

So what does not change is sent once; an interrupted backup costs what was under way, as the next
one finds its pieces; and there is nothing half that could be taken for whole.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import orjson

from gemel.app.backup import (
    NAME,
    PREFIX,
    Stored,
    content,
    filling,
    is_inside,
    made_in,
    not_as_written,
    read_manifest,
)
from gemel.app.object_work import Work
from gemel.app.objects import local, opened, split
from gemel.app.snapshot import compact_name
from gemel.core.document import Json
from gemel.core.errors import GemelError, NotFound
from gemel.core.ports import Objects

FORMAT = 2
PIECE = 8 << 20
AT_ONCE = 4
PIECES, MANIFESTS = "pieces", "manifests"
DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)

T = TypeVar("T")
S = TypeVar("S")


def store(
    objects: Objects, snapshot: Path, about: Json, now: int, *, full: bool = False, keep: int = 0
) -> Stored:
    """Stores a snapshot as a new backup at a place.

    Args:
        objects: the place of all backups.
        snapshot: a data folder at rest.
        about: what is in it, for the manifest.
        now: names the backup.
        full: sends everything, whatever is there.
        keep: so many of the newest backups stay; 0 for all.

    Raises:
        Unavailable: it cannot be reached, or another process works there.
        Forbidden: it may not be written; with `keep`, not be deleted from.
    """
    name = _free_name(names(objects), now)
    with Work(objects, name, now) as work:
        there = {} if full else _there(objects)
        entries, copied = _send(objects, snapshot, there)
        work.confirm()
        made = content(FORMAT, about, entries, now)
        objects.put(_manifest(name), [orjson.dumps(made)], replace=False)
        if keep or work.left:
            _clean(objects, name, keep, work.left)
    damage = tuple(about.get("damage", ()))
    return Stored(f"{objects.place}/{name}", len(entries), made["bytes"], copied, damage)


def _clean(objects: Objects, name: str, keep: int, marks: list[str]) -> None:
    """After a backup that is whole, whatever comes of this."""
    try:
        _tidy(objects, keep)
        objects.delete(marks)
    except GemelError as error:
        if not keep:
            return  # what was interrupted once lies there until it can be taken away
        what = f"{objects.place}/{name} is whole, but older ones were not taken away: "
        raise type(error)(what + error.message, hint=error.hint) from error


def _send(objects: Objects, snapshot: Path, there: dict[str, int]) -> tuple[list[Json], int]:
    """The entries of all files, and how many bytes were sent."""
    entries: list[Json] = []

    def missing() -> Iterator[tuple[str, bytes]]:
        for path in sorted(path for path in snapshot.rglob("*") if path.is_file()):
            pieces: list[str] = []
            size = 0
            with path.open("rb") as file:
                while piece := file.read(PIECE):
                    digest = hashlib.sha256(piece).hexdigest()
                    pieces.append(digest)
                    size += len(piece)
                    if there.get(digest) != len(piece):
                        there[digest] = len(piece)
                        yield digest, piece
            name = path.relative_to(snapshot).as_posix()
            entries.append({"name": name, "bytes": size, "pieces": pieces})

    def send(one: tuple[str, bytes]) -> int:
        return objects.put(_piece(one[0]), [one[1]])

    with closing(ahead(send, missing())) as sent:
        copied = sum(sent)
    return entries, copied


def ahead(call: Callable[[S], T], items: Iterable[S]) -> Generator[T, None, None]:
    """The results of calls in the order of their items, some calls ahead in threads."""
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(AT_ONCE, "objects") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(call, item))
                if len(waiting) >= AT_ONCE:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for one in waiting:
                one.cancel()


def _there(objects: Objects) -> dict[str, int]:
    """The pieces that a place has, by digest, and their sizes."""
    found = ((_last(one.name), one.bytes) for one in objects.list(PIECES))
    return {name: size for name, size in found if DIGEST.fullmatch(name)}


def _tidy(objects: Objects, keep: int) -> None:
    """Takes away older backups, then the pieces that no backup needs."""
    ours = [name for name in names(objects) if NAME.fullmatch(name)]
    gone = ours[:-keep] if keep else []
    needed: set[str] = set()
    for name in names(objects):
        if name not in gone:
            needed.update(
                piece for one in manifest(objects, name)["files"] for piece in one["pieces"]
            )
    objects.delete(_manifest(name) for name in gone)
    objects.delete(_piece(digest) for digest in _there(objects) if digest not in needed)


def _manifest(name: str) -> str:
    return f"{MANIFESTS}/{name}.json"


def _piece(digest: str) -> str:
    return f"{PIECES}/{digest[:2]}/{digest}"


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _free_name(taken: list[str], now: int) -> str:
    name = PREFIX + compact_name(now)
    number = 1
    while name in taken:
        number += 1
        name = f"{PREFIX}{compact_name(now)}-{number}"
    return name


def at(address: str) -> tuple[Objects, str] | Path:
    """The place and the name of a backup in pieces; the path of one that is a folder of its own.

    The name is empty where the address is that of a place. A bucket that was copied into a folder
    is a place too.
    """
    path = local(address)
    if path is None:
        place, name = split(address)
        return (opened(place), name) if name.startswith(PREFIX) else (opened(address), "")
    if (path / MANIFESTS).is_dir():
        return opened(str(path)), ""
    if (path.parent / MANIFESTS / f"{path.name}.json").is_file():
        return opened(str(path.parent)), path.name
    return path


def names(objects: Objects) -> list[str]:
    """The whole backups of a place, the oldest first."""
    found = (_last(one.name) for one in objects.list(MANIFESTS))
    return sorted(name.removesuffix(".json") for name in found if name.endswith(".json"))


def manifest(objects: Objects, name: str) -> Json:
    """What a backup says it holds.

    Raises:
        NotFound: there is no whole backup of this name.
        Damaged: the manifest is not what was written.
        InvalidInput: it is of another version.
    """
    try:
        text = b"".join(objects.get(_manifest(name)))
    except NotFound as error:
        found = names(objects)
        what = (
            f"/{name} is no whole backup: it has no {_manifest(name)}" if name else " is no backup"
        )
        raise NotFound(
            f"{objects.place}{what}",
            hint=f"the newest one here is {objects.place}/{found[-1]}"
            if found
            else "there is no whole one here: gemel backup makes one",
        ) from error
    return read_manifest(text, f"{objects.place}/{_manifest(name)}", FORMAT, _is_entry)


def _is_entry(entry: Json) -> bool:
    are_digests = all(type(one) is str and DIGEST.fullmatch(one) for one in entry["pieces"])
    return is_inside(entry["name"]) and type(entry["bytes"]) is int and are_digests


def faults(objects: Objects, name: str) -> Iterator[Json]:
    """Files of a backup that cannot be restored as they were; every piece is read."""
    for entry in manifest(objects, name)["files"]:
        whats = {
            what for what in ahead(lambda one: _read(objects, one)[1], entry["pieces"]) if what
        }
        if whats:
            yield {"file": entry["name"], "what": sorted(whats)[0]}


def _read(objects: Objects, digest: str) -> tuple[bytes, str]:
    """A piece, and what is wrong with it."""
    try:
        piece = b"".join(objects.get(_piece(digest)))
    except NotFound:
        return b"", f"has lost the piece {_piece(digest)}"
    if hashlib.sha256(piece).hexdigest() != digest:
        return b"", f"is not what was written: the piece {_piece(digest)} is another (SHA-256)"
    return piece, ""


def restore(objects: Objects, name: str, data: Path) -> Stored:
    """Makes a data folder from a backup; each piece is compared with its SHA-256 as it comes.

    Raises:
        NotFound: it is no whole backup.
        Conflict: the folder is not empty.
        Damaged: the backup is not what was written; nothing is left behind.
        Unavailable: no room, or either end cannot be reached.
    """
    about = manifest(objects, name)
    there = _there(objects)
    lost = [
        {"file": entry["name"], "what": f"has lost the piece {_piece(piece)}"}
        for entry in about["files"]
        for piece in entry["pieces"]
        if piece not in there
    ]
    if lost:
        raise not_as_written(f"{objects.place}/{name}", lost)
    with filling(data, about["bytes"]):
        _fetch(objects, name, about["files"], data)
    return Stored(data, len(about["files"]), about["bytes"], about["bytes"])


def _fetch(objects: Objects, name: str, entries: list[Json], data: Path) -> None:
    wanted = (piece for entry in entries for piece in entry["pieces"])
    with closing(ahead(lambda one: _read(objects, one), wanted)) as pieces:
        for entry in entries:
            with made_in(data, entry["name"]).open("xb") as file:
                os.fchmod(file.fileno(), 0o600)
                for _ in entry["pieces"]:
                    piece, what = next(pieces)
                    if what:
                        wrong = {"file": entry["name"], "what": what}
                        raise not_as_written(f"{objects.place}/{name}", [wrong])
                    file.write(piece)
                if file.tell() != entry["bytes"]:
                    wrong = {"file": entry["name"], "what": "has another size than was written"}
                    raise not_as_written(f"{objects.place}/{name}", [wrong])
                file.flush()
                os.fsync(file.fileno())
