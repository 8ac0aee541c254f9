"""Blobs of the platform's state, each set tied to a place in the log and written as a whole."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gemel.core.errors import Damaged
from gemel.history.codec import compress, decompress
from gemel.history.damage import Damage, DamageList
from gemel.history.files import Bytes, Files, numbered
from gemel.history.record import Kind, Record, file_header, frame, scan

NAME = struct.Struct("<I")
LARGEST_BLOB = 1 << 32


class Checkpoints:
    """Folder `checkpoints`: `00000007.ckpt` is the state after every reading of log files to 7."""

    def __init__(self, folder: Path, files: Files) -> None:
        self._folder = folder
        self._files = files
        self.through = 0
        """The last log file that the checkpoint covers; 0 when there is none."""
        self.bytes = 0
        """Of the file."""
        self.blobs: dict[str, bytes] = {}
        """What was found; given back once there is a newer one."""

    def load(self, damage: DamageList) -> None:
        """Takes the newest checkpoint that is whole."""
        for through, path in reversed(numbered(self._folder, ".ckpt")):
            file = f"{self._folder.name}/{path.name}"
            data = self._files.read(path)
            blobs = read_blobs(data, file, damage)
            if blobs is not None:
                self.through, self.blobs, self.bytes = through, blobs, len(data)
                return

    def write(self, through: int, blobs: Mapping[str, bytes]) -> None:
        """Replaces the checkpoint; durable when it returns."""
        pieces: list[Bytes] = [file_header(through, 0)]
        for sequence, (name, blob) in enumerate(blobs.items()):
            label = name.encode()
            payload = [NAME.pack(len(label)) + label, compress(blob)]
            pieces += frame(Kind.PACKED, sequence, payload)
        pieces += frame(Kind.OTHER, len(blobs), [NAME.pack(len(blobs))])
        self._files.put(self._folder / f"{through:08d}.ckpt", pieces)
        self.through, self.blobs, self.bytes = through, {}, sum(map(len, pieces))
        for number, path in numbered(self._folder, ".ckpt"):
            if number < through:
                self._files.remove(path)


def read_blobs(data: bytes, file: str, damage: DamageList) -> dict[str, bytes] | None:
    """All blobs of a checkpoint file, or None (and the damage is named) if it is not whole."""
    blobs: dict[str, bytes] = {}
    is_whole = False
    for found in scan(data, file):
        if isinstance(found, Damage):  # it is written as a whole: nothing of it is ever torn
            damage.add(replace(found, is_torn_tail=False))
            return None
        payload = found.payload
        try:
            size = NAME.unpack_from(payload)[0]
            if _is_last(found):
                is_whole = size == len(blobs)
            elif found.kind in (Kind.CHECKPOINT, Kind.PACKED):
                name = bytes(payload[NAME.size : NAME.size + size]).decode()
                blob = bytes(payload[NAME.size + size :])
                is_packed = found.kind == Kind.PACKED
                blobs[name] = decompress(blob, LARGEST_BLOB) if is_packed else blob
        except (struct.error, UnicodeDecodeError, Damaged):
            damage.add(Damage(file, found.offset, len(payload), "this is not of a checkpoint"))
            return None
    if not is_whole:
        damage.add(Damage(file, len(data), 0, "the checkpoint is cut off; it is not used"))
        return None
    return blobs


def _is_last(record: Record) -> bool:
    return record.kind == Kind.OTHER
