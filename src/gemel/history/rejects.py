"""What was received and could not become a reading: kept with the reason, counted for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from threading import Lock

import orjson
import zstandard

from gemel.core.batch import Reject
from gemel.history.codec import compress, decompress
from gemel.history.damage import Damage, DamageList
from gemel.history.files import Files, numbered
from gemel.history.payload import decode_rejects, encode_rejects

SUFFIX = ".jsonl.zst"
CHUNK = 2_000
"""Rejects that are compressed together while their log file is open."""
LARGEST_CHUNK = 1 << 27
TWINS_COUNTED = 10_000
"""Names beyond this many are counted together under "*", so that junk cannot fill the memory."""


class RejectCounts:
    """How many rejects of each reason each twin has had since the history began."""

    def __init__(self) -> None:
        self._twins: dict[str, Counter[str]] = {}
        self._total: Counter[str] = Counter()

    def add(self, rejects: Iterable[Reject]) -> None:
        for reject in rejects:
            self._count(reject.twin, reject.reason, 1)

    def _count(self, twin: str, reason: str, count: int) -> None:
        self._total[reason] += count
        mine = self._twins.get(twin)
        if mine is None:
            name = twin if len(self._twins) < TWINS_COUNTED else "*"
            mine = self._twins.setdefault(name, Counter())
        mine[reason] += count

    def of(self, twin: str | None) -> dict[str, int]:
        return dict(self._total if twin is None else self._twins.get(twin, Counter()))

    def to_json(self) -> dict[str, dict[str, int]]:
        return {twin: dict(counts) for twin, counts in self._twins.items()}

    def load(self, rows: dict[str, dict[str, int]]) -> None:
        for twin, counts in rows.items():
            for reason, count in counts.items():
                self._count(twin, reason, int(count))


class Held:
    """The rejects of one log file: the newest as they are, older ones compressed, all counted.

    A device that sends nothing but nonsense so costs some 30 bytes a reject until it is sealed.
    """

    def __init__(self) -> None:
        self.counts = RejectCounts()
        self.count = 0
        self._newest: list[Reject] = []
        self._packed: list[bytes] = []

    def add(self, rejects: Iterable[Reject]) -> None:
        rejects = list(rejects)
        self.counts.add(rejects)
        self.count += len(rejects)
        self._newest += rejects
        while len(self._newest) >= 2 * CHUNK:
            self._packed.append(compress(encode_rejects(self._newest[:CHUNK])))
            del self._newest[:CHUNK]

    def lines(self) -> bytes:
        """All as JSON lines, in the order of arrival."""
        packed = b"".join(decompress(block, LARGEST_CHUNK) for block in self._packed)
        return packed + encode_rejects(self._newest)

    def parts(self) -> tuple[list[Reject], list[bytes]]:
        """Copies for `backwards`, which takes its time."""
        return list(self._newest), list(self._packed)


def backwards(parts: tuple[list[Reject], list[bytes]]) -> Iterator[Reject]:
    """The newest first."""
    newest, packed = parts
    yield from reversed(newest)
    for block in reversed(packed):
        yield from reversed(decode_rejects(decompress(block, LARGEST_CHUNK)))


class Rejects:
    """Folder `rejects`: `00000007.jsonl.zst` has the rejects of sealed log files to 7.

    The first line holds the counts since the beginning, each further line one reject.
    """

    def __init__(self, folder: Path, files: Files, damage: DamageList, largest: int) -> None:
        self._folder = folder
        self._files = files
        self._damage = damage
        self._largest = largest
        self._lock = Lock()
        self._open: dict[int, Held] = {}
        self._sealed_counts = RejectCounts()
        self._counts = RejectCounts()

    def load(self, sealed_through: int) -> None:
        """Takes up the counts of the newest file; files of unfinished seals are removed."""
        for path in self._paths():
            if _number(path) > sealed_through:
                self._files.remove(path)
        for path in self._paths():
            lines = self._lines(path, only_first=True)
            if lines:
                counts = orjson.loads(lines[0])["counts"]
                self._sealed_counts.load(counts)
                self._counts.load(counts)
                return

    def add(self, number: int, rejects: Sequence[Reject]) -> None:
        """Rejects of log file `number`, in the order of arrival."""
        with self._lock:
            self._open.setdefault(number, Held()).add(rejects)
            self._counts.add(rejects)

    def take(self, number: int, held: Held) -> None:
        """What was found in log file `number` at the start."""
        with self._lock:
            self._open[number] = held
            self._counts.load(held.counts.to_json())

    def seal(self, through: int) -> None:
        """Writes the rejects of log files up to `through` to their own file, durably."""
        with self._lock:
            numbers = sorted(number for number in self._open if number <= through)
            held = [self._open[number] for number in numbers]
        total = sum(one.count for one in held)
        if not total:
            return
        counts = RejectCounts()
        counts.load(self._sealed_counts.to_json())
        for one in held:
            counts.load(one.counts.to_json())
        head = orjson.dumps(
            {"counts": counts.to_json(), "rejects": total},
            option=orjson.OPT_APPEND_NEWLINE,
        )
        path = self._folder / f"{through:08d}{SUFFIX}"
        lines = b"".join(one.lines() for one in held)
        pieces = [compress(head, checksum=True), compress(lines, checksum=True)]
        self._files.put(path, pieces)
        with self._lock:
            self._sealed_counts = counts
            for number in numbers:
                del self._open[number]
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        held = 0
        for path in self._paths():
            held += self._files.size(path)
            if held > self._largest:
                self._files.remove(path)

    def newest(self, twin: str | None, limit: int) -> list[Reject]:
        return list(islice((r for r in self._backwards() if twin is None or r.twin == twin), limit))

    def _backwards(self) -> Iterator[Reject]:
        with self._lock:
            numbers = sorted(self._open, reverse=True)
            held = [self._open[number].parts() for number in numbers]
            paths = self._paths()
        for parts in held:
            yield from backwards(parts)
        for path in paths:
            for line in reversed(self._lines(path)[1:]):
                yield from decode_rejects(line)

    def counts(self, twin: str | None) -> dict[str, int]:
        with self._lock:
            return self._counts.of(twin)

    def verify(self) -> None:
        for path in self._paths():
            self._lines(path)

    def _paths(self) -> list[Path]:
        """Newest first."""
        return [path for _, path in reversed(numbered(self._folder, SUFFIX))]

    def _lines(self, path: Path, *, only_first: bool = False) -> list[bytes]:
        """Head and lines of a file; none, and the damage is named, if it is broken."""
        data = b""
        try:
            data = self._files.read(path)
            head, body = _open_frame(data)
            if only_first:
                return [head]
            text, rest = _open_frame(body)
            lines = text.splitlines()
            if rest:
                raise ValueError(f"{len(rest)} bytes follow them")
            if len(lines) == orjson.loads(head)["rejects"]:
                return [head, *lines]
            fault = "the number of lines is wrong"
        except (zstandard.ZstdError, OSError, ValueError, KeyError, TypeError) as error:
            fault = str(error)
        name = f"{self._folder.name}/{path.name}"
        self._damage.add(Damage(name, 0, len(data), f"these rejects cannot be read: {fault}"))
        return []


def _open_frame(data: bytes) -> tuple[bytes, bytes]:
    """What the zstd frame at the start holds, and what follows the frame."""
    frame = zstandard.ZstdDecompressor().decompressobj()
    content = frame.decompress(data)
    if not frame.eof:
        raise ValueError("the file is cut off")
    return content, frame.unused_data


def _number(path: Path) -> int:
    return int(path.name.split(".", 1)[0])
