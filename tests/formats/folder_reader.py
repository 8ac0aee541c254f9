"""Reads the rest of a data folder by its pages alone: documents, audit chain, spool, packs.

Nothing of Gemel is imported, as in `history_reader`.
"""

from __future__ import annotations

import json
import sqlite3
import struct
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from formats.history_reader import Json, check, must

# ---- data-folder.md and audit.md


class Edit(NamedTuple):
    seq: int
    kind: str
    key: str
    doc: bytes | None
    time: int
    who: str
    why: str
    etag: str
    hash: bytes


class Documents:
    """The documents as they are, the chain of their edits computed anew."""

    def __init__(self, path: Path) -> None:
        database = sqlite3.connect(path)
        try:
            names = ", ".join(Edit._fields)
            rows = database.execute(f"SELECT {names} FROM edits ORDER BY seq").fetchall()
            marks = database.execute("SELECT seq, hash, time, key, signature FROM checkpoints")
            self.checkpoints = marks.fetchall()
        finally:
            database.close()
        self.edits = [Edit(*row) for row in rows]
        self.now: dict[tuple[str, str], Json] = {}
        for edit in self.edits:
            self.now.pop((edit.kind, edit.key), None)
            if edit.doc is not None:
                self.now[edit.kind, edit.key] = json.loads(edit.doc)
        self._verify()

    def _verify(self) -> None:
        before, hashes = bytes(32), {0: bytes(32)}
        for number, edit in enumerate(self.edits, 1):
            must(edit.seq == number, f"edit {number} was taken out")
            digest = None if edit.doc is None else sha256(edit.doc).hexdigest()
            row = [edit.seq, edit.kind, edit.key, digest, edit.time, edit.who, edit.why, edit.etag]
            text = json.dumps(row, separators=(",", ":"), ensure_ascii=False)
            before = hashes[number] = sha256(before + text.encode()).digest()
            must(before == edit.hash, f"edit {number} is not what was written")
        for seq, found, time, key, signature in self.checkpoints:
            must(hashes[seq] == found, f"the checkpoint of edit {seq} saw another chain")
            row = ["gemel audit checkpoint", seq, found.hex(), time]
            signed = json.dumps(row, separators=(",", ":")).encode()
            Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)

    def of(self, kind: str) -> dict[str, Json]:
        return {key: doc for (one, key), doc in self.now.items() if one == kind}


# ---- spool.md


def spooled(data: Path) -> Iterator[tuple[str, bytes]]:
    """Topic and payload of each message that waits in the spool, in order."""
    for folder in sorted((data / "spool").glob("*")):
        note = (folder / "taken").read_bytes() if (folder / "taken").exists() else b""
        file, offset, crc = struct.unpack("<QQI", note) if len(note) == 20 else (0, 0, 0)
        if crc != zlib.crc32(b"%d %d" % (file, offset)):
            file, offset = 0, 0
        for path in sorted(folder.glob("*.log")):
            if int(path.stem) >= file:
                since = offset if int(path.stem) == file else 0
                yield from spool_file(path.read_bytes(), since)


def spool_file(data: bytes, since: int) -> Iterator[tuple[str, bytes]]:
    must(data[:8] == b"GMLSPL1\n", "no file of a spool")
    at = 8
    while at + 16 <= len(data):
        mark, size, crc, head = struct.unpack_from("<4sIII", data, at)
        body = data[at + 16 : at + 16 + size]
        is_whole = mark == b"GSPR" and zlib.crc32(data[at : at + 8]) == head
        if not is_whole or len(body) < size or zlib.crc32(body) != crc:
            return  # torn: nobody was told that it is safe
        at += 16 + size
        if at > since:
            yield from entries(body)


def entries(body: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    while at < len(body):
        kind, _, length, _ = struct.unpack_from("<BIIq", body, at)
        data = body[at + 17 : at + 17 + length]
        at += 17 + length
        while kind == 2 and data:
            size, shift, place = 0, 0, 1
            while shift == 0 or data[place - 1] & 0x80:
                size |= (data[place] & 0x7F) << shift
                shift, place = shift + 7, place + 1
            packet, rest = data[place : place + size], data[place + size :]
            name = int.from_bytes(packet[:2], "big")
            behind = 2 + name + 2 * bool(data[0] & 0b110)
            yield packet[2 : 2 + name].decode(), packet[behind:]
            data = rest


# ---- data-folder.md, sums


def summed(folder: Path) -> dict[str, bytes]:
    """What a folder's files held, as far as there are sums, each against its own."""
    found = {}
    for path in folder.rglob(".*.sum"):
        name = path.name[1 : -len(".sum")]
        known = json.loads(path.read_bytes())
        content = (path.parent / name).read_bytes()[: known["bytes"]]
        must(len(content) == known["bytes"], f"{name} ends early")
        must(zlib.crc32(content) == known["crc32"], f"{name} is not what was stored")
        found[name] = content
    return found


# ---- data-folder.md, packs


def unpacked(data: bytes) -> tuple[Json, dict[str, Any]]:
    """The document and the arrays of a pack."""
    must(data[:8] == b"GMLPACK1", "no pack")
    length = struct.unpack_from("<I", data, 8)[0]
    check(data[16:], data[12:16], "the pack")
    head = json.loads(data[16 : 16 + length])
    at, arrays = 16 + length, {}
    for name, (kind, shape) in head["arrays"].items():
        count = int(np.prod(shape, dtype=int))
        arrays[name] = np.frombuffer(data, kind, count, at).reshape(shape)
        at += arrays[name].nbytes
    must(at == len(data), "bytes are left behind the arrays")
    return head["document"], arrays
