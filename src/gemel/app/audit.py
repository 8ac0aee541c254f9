"""The audit log: the chain of all edits, verified, listed, exported, and signed now and then.

Every document's change is an edit (commands and approvals, alarms, rules, models, tokens and
log-ins, the kill switch), so the edits are the audit log;
docs/formats/audit.md describes the chain.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gemel.backends import audit as store
from gemel.backends.audit import Checkpoint, Row, Wanted
from gemel.core import chain
from gemel.core.clock import from_iso, to_iso
from gemel.core.document import Json
from gemel.core.errors import Damaged, GemelError, InvalidInput

__all__ = ["Wanted", "export", "listing", "sign", "verify", "verify_export"]

KEY_FILE = "audit.key"
SECRET = re.compile(
    r"secret|password|passwd|authorization|api_?key|private|credential|^token$|^sas", re.IGNORECASE
)
HIDDEN = "(withheld)"


# ---- reading ---------------------------------------------------------------------------------


def listing(file: Path, wanted: Wanted, limit: int, *, documents: bool = False) -> list[Json]:
    """Edits, the newest first, with secrets withheld."""
    return [view(row, documents=documents) for row in store.rows(file, wanted, limit)]


def export(file: Path) -> Iterator[Json]:
    """All edits in order; the chain of an export can be verified without this installation."""
    for row in store.each(file):
        yield view(row, documents=True)


def view(row: Row, *, documents: bool) -> Json:
    found: Json = {
        "seq": row.seq,
        "time": to_iso(row.time),
        "who": row.who,
        "kind": row.kind,
        "key": row.key,
        "why": row.why,
        "etag": row.etag,
        "digest": chain.digest(row.doc),
        "hash": row.hash.hex() if row.hash else None,
    }
    if documents:
        found["doc"] = None if row.doc is None else withheld(_document(row))
    return found


def _document(row: Row) -> Any:
    try:
        return orjson.loads(row.doc or b"null")
    except orjson.JSONDecodeError:
        return "(damaged)"


def withheld(value: Any) -> Any:
    """The same without what only its owner may know."""
    if isinstance(value, dict):
        return {
            name: HIDDEN if SECRET.search(name) and inner else withheld(inner)
            for name, inner in value.items()
        }
    return [withheld(inner) for inner in value] if isinstance(value, list) else value


# ---- verifying -------------------------------------------------------------------------------


@dataclass
class Finding:
    """What verifying found; `broken` is empty if the log is whole."""

    edits: int = 0
    hash: str = chain.BEGIN.hex()
    checkpoints: int = 0
    keys: list[str] = field(default_factory=list)
    """The public keys that signed."""
    broken: str = ""
    """The first row that is not what was written, in words."""
    seq: int | None = None
    """Its number."""

    def document(self) -> Json:
        return {
            "isWhole": not self.broken,
            "edits": self.edits,
            "hash": self.hash,
            "checkpoints": self.checkpoints,
            "keys": self.keys,
            "broken": self.broken,
            "seq": self.seq,
        }


@dataclass(frozen=True, slots=True)
class Link:
    """What verifying needs of an edit."""

    seq: int
    kind: str
    key: str
    digest: str | None
    time: int
    who: str
    why: str
    etag: str
    hash: bytes


def verify(file: Path, outside: Iterable[Checkpoint] = (), key: str = "") -> Finding:
    """Verifies the chain of a data folder, its checkpoints, and those that were kept elsewhere.

    Args:
        file: the database.
        outside: checkpoints kept on another host: they show that the end was cut off.
        key: hex of the public key that must have signed; "" takes any.

    Raises:
        Unavailable: the file cannot be read.
    """
    try:
        marks = [*store.checkpoints(file), *outside]
        return _walk((_link(row) for row in store.each(file)), marks, key)
    except Damaged as error:
        return Finding(broken=error.message)


def _link(row: Row) -> Link:
    return Link(
        row.seq,
        row.kind,
        row.key,
        chain.digest(row.doc),
        row.time,
        row.who,
        row.why,
        row.etag,
        row.hash,
    )


def verify_export(
    lines: Iterable[bytes], outside: Iterable[Checkpoint] = (), key: str = ""
) -> Finding:
    """As `verify`, of what `export` wrote, one JSON object a line."""
    return _walk(_links(lines), list(outside), key)


def _links(lines: Iterable[bytes]) -> Iterator[Link]:
    for number, line in enumerate(lines, 1):
        try:
            row = orjson.loads(line)
            made = Link(
                row["seq"],
                row["kind"],
                row["key"],
                row["digest"],
                from_iso(row["time"]),
                row["who"],
                row["why"],
                row["etag"],
                bytes.fromhex(row["hash"]),
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise InvalidInput(
                f"line {number} is no line of an audit log: {error}",
                hint="gemel audit export writes it",
            ) from error
        doc = row.get("doc")
        is_shown = doc is not None and HIDDEN not in str(doc)
        if is_shown and chain.digest(orjson.dumps(doc)) != made.digest:
            made = replace(made, hash=bytes(32))
        yield made


def _rest(link: Link) -> tuple[str, str, str | None, int, str, str, str]:
    return link.kind, link.key, link.digest, link.time, link.who, link.why, link.etag


def _walk(links: Iterable[Link], marks: list[Checkpoint], key: str) -> Finding:
    found = Finding()
    found.broken = next(filter(None, (_wrongly_signed(mark, key) for mark in marks)), "")
    if found.broken:
        return found
    at: dict[int, list[Checkpoint]] = {}
    for mark in marks:
        at.setdefault(mark.seq, []).append(mark)
    before, last = chain.BEGIN, 0
    for link in links:
        if not _fits(before, link):
            found.seq, found.broken = link.seq, _broken(link, last)
            return found
        before, last = link.hash, link.seq
        found.edits += 1
        for mark in at.pop(link.seq, ()):
            if mark.hash != before:
                found.seq = link.seq
                found.broken = (
                    f"edit {link.seq} is not what it was when the checkpoint of "
                    f"{to_iso(mark.time)} was signed: the log was written anew up to there"
                )
                return found
            found.checkpoints += 1
    at.pop(0, None)
    if at:
        gone = max(at)
        found.seq = last + 1
        found.broken = (
            f"the log ends at edit {last}, but a checkpoint of {to_iso(at[gone][0].time)} has seen "
            f"edit {gone}: the end was cut off"
        )
    found.hash = before.hex()
    found.keys = sorted({mark.key.hex() for mark in marks})
    return found


def _fits(before: bytes, link: Link) -> bool:
    try:
        return chain.link(before, link.seq, *_rest(link)) == link.hash
    except TypeError:  # somebody has put a value of another kind there
        return False


def _broken(link: Link, last: int) -> str:
    what = f"edit {link.seq} (the {link.kind} '{link.key}', by {link.who}, {to_iso(link.time)})"
    if link.seq > last + 1:
        missing = f"{last + 1}" if link.seq == last + 2 else f"{last + 1} to {link.seq - 1}"
        return f"{what} does not follow on edit {last}: {missing} before it was taken out"
    return f"{what} is not what was written: it, or its place, was changed"


# ---- signing ---------------------------------------------------------------------------------


def sign(folder: Path, file: Path, now: int) -> Checkpoint:
    """Signs the chain as it is, and keeps that."""
    seq, found = store.newest(file)
    private = _private_key(folder)
    public = private.public_key().public_bytes_raw()
    made = Checkpoint(seq, found, now, public, private.sign(_signed(seq, found, now)))
    store.add_checkpoint(file, made)
    return made


class Signer:
    """Signs the chain when it has grown, for a running server."""

    def __init__(self, folder: Path, file: Path) -> None:
        self._folder, self._file = folder, file
        self._signed = -1

    def sign(self, now: int, *, always: bool = False) -> Checkpoint | None:
        """A checkpoint, unless nothing was done since the last one."""
        if not always and store.newest(self._file)[0] == self._signed:
            return None
        made = sign(self._folder, self._file, now)
        self._signed = made.seq
        return made


def _signed(seq: int, found: bytes, time: int) -> bytes:
    return orjson.dumps(["gemel audit checkpoint", seq, found.hex(), time])


def _wrongly_signed(mark: Checkpoint, key: str) -> str:
    what = f"the checkpoint of edit {mark.seq} ({to_iso(mark.time)})"
    if key and mark.key.hex() != key.lower():
        return f"{what} was signed by another key, {mark.key.hex()}"
    try:
        signed = _signed(mark.seq, mark.hash, mark.time)
        Ed25519PublicKey.from_public_bytes(mark.key).verify(mark.signature, signed)
    except (InvalidSignature, ValueError):
        return f"{what} has a signature that does not fit"
    return ""


def key_fault(folder: Path, file: Path) -> str:
    """What is wrong with the key of a folder, as far as its newest checkpoint tells."""
    if not (folder / KEY_FILE).exists():
        return ""
    try:
        public = _private_key(folder).public_key().public_bytes_raw()
    except Damaged as error:
        return error.message
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    marks: list[Checkpoint] = []
    if file.exists():
        with suppress(GemelError):  # of that file it is told elsewhere
            marks = store.checkpoints(file)
    if marks and marks[-1].key != public:
        return "is not the key that signed the newest checkpoint; one made anew signs the next"
    return ""


def _private_key(folder: Path) -> Ed25519PrivateKey:
    """The key of this installation, made when it is first needed; nobody else may read it."""
    file = folder / KEY_FILE
    if not file.exists():
        private = Ed25519PrivateKey.generate()
        content = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        part = file.with_suffix(".part")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    try:
        found = serialization.load_pem_private_key(file.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Damaged(f"'{file}' is no key: {error}", hint="restore it from a backup") from error
    if not isinstance(found, Ed25519PrivateKey):
        raise Damaged(f"'{file}' is no Ed25519 key", hint="restore it from a backup")
    return found


def checkpoint_view(mark: Checkpoint) -> Json:
    return {
        "seq": mark.seq,
        "hash": mark.hash.hex(),
        "time": to_iso(mark.time),
        "key": mark.key.hex(),
        "signature": mark.signature.hex(),
    }


def read_checkpoints(file: Path) -> list[Checkpoint]:
    """Checkpoints that were kept elsewhere, one JSON object a line.

    Raises:
        InvalidInput: names the line.
    """
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}") from error
    found = []
    for number, line in enumerate(filter(None, lines), 1):
        try:
            row = orjson.loads(line)
            found.append(
                Checkpoint(
                    row["seq"],
                    bytes.fromhex(row["hash"]),
                    from_iso(row["time"]),
                    bytes.fromhex(row["key"]),
                    bytes.fromhex(row["signature"]),
                )
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise InvalidInput(
                f"{file}, line {number}: no checkpoint: {error}",
                hint="gemel audit checkpoint prints them",
            ) from error
    return found
