"""Reads a history by docs/formats/history.md alone: the proof that it can be read without Gemel.

Nothing of Gemel is imported. Whoever changes a format changes its page, and then this.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zstandard
from pcodec import standalone

Json = dict[str, Any]


class Series(NamedTuple):
    twin: str
    path: str
    provenance: str


class Reading(NamedTuple):
    time: int
    value: Any
    """A float, or what the JSON text says."""
    quality: int
    received: int
    """In ms."""

    @property
    def identity(self) -> tuple[str, int]:
        return repr(self.value), self.quality


BAD = 128
"""Qualities from here on are bad."""


def is_revised(series: Series) -> bool:
    """Whether a later value for the same time takes the place of an earlier one."""
    return series.provenance != "measured"


class Rolled(NamedTuple):
    """What one minute or hour held."""

    series: Series
    begin: int
    count: int
    first: tuple[int, float]
    last: tuple[int, float]
    lowest: tuple[int, float]
    highest: tuple[int, float]
    total: float
    deviation: float
    has_readings: bool


def must(fact: bool, what: str) -> None:
    if not fact:
        raise ValueError(what)


def check(data: bytes, crc: bytes, what: str) -> None:
    must(zlib.crc32(data) == struct.unpack("<I", crc)[0], f"{what}: its checksum does not fit")


def unzip(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


# ---- history.md, columns


def column(kind: str, codec: int, data: bytes, rows: int) -> Any:
    """The numbers of one packed column."""
    dtype = np.dtype(kind)
    match codec:
        case 0:
            return np.frombuffer(data, dtype)
        case 1:
            return np.full(rows, np.frombuffer(data, dtype)[0])
        case 2:
            return standalone.simple_decompress(data)
        case 3:
            planes = np.frombuffer(unzip(data), np.uint8).reshape(dtype.itemsize, -1)
            steps = np.ascontiguousarray(planes.T).view(f"<i{dtype.itemsize}").ravel()
            return np.cumsum(steps, dtype=steps.dtype).view(dtype)
        case 4:
            return np.frombuffer(unzip(data), dtype)
        case 5:
            return pieces(kind, data)
        case 6:
            return scaled(kind, data, rows)
        case 7:
            return runs(kind, data, rows)
    raise ValueError(f"codec {codec} is not in history.md")


def pieces(kind: str, data: bytes) -> Any:
    count = struct.unpack_from("<I", data)[0]
    at, found = 4 + 9 * count, []
    for number in range(count):
        rows, length, codec = struct.unpack_from("<IIB", data, 4 + 9 * number)
        found.append(column(kind, codec, data[at : at + length], rows))
        at += length
    return np.concatenate(found)


def scaled(kind: str, data: bytes, rows: int) -> Any:
    power, codec, base, odd = struct.unpack_from("<bBqI", data)
    at = 14 + 12 * odd
    whole = column("<i4", codec, data[at:], rows)
    if kind != "<f8":
        return (whole.astype("<i8") + base) * 10**power
    found = whole / 10.0**-power
    found[np.frombuffer(data, "<i4", odd, 14)] = np.frombuffer(data, "<f8", odd, 14 + 4 * odd)
    return found


def runs(kind: str, data: bytes, rows: int) -> Any:
    count, length, one, other = struct.unpack_from("<IIBB", data)
    numbers = column(kind, one, data[10 : 10 + length], count)
    return np.repeat(numbers, column("<i4", other, data[10 + length :], count))


# ---- history.md, segments and roll-ups

SEGMENT = {1: "<i4", 2: "<i4", 3: "<i8", 4: "<f8", 5: "u1", 6: "<i8", 7: "text", 8: "<i8"}
ROLL_UP = {1: "<i4", 2: "<i4", 3: "<i8", **{n: "<i8" for n in (16, 17, 19, 21, 23)}}
ROLL_UP |= {n: "<f8" for n in (18, 20, 22, 24, 25)} | {26: "<f4"}
INDEX = {1: "<i8", 2: "<i4", 3: "<i4", 4: "<i4", 5: "<i8", 6: "<i8", 7: "<i4", 8: "<i4"}


def columns(data: bytes, at: int, kinds: dict[int, str], count: int, sizes: Any) -> Json:
    """`count` column headers from a place on, and the columns behind them."""
    heads = [struct.unpack_from("<BBHI", data, at + 8 * number) for number in range(count)]
    at += 8 * count
    found: Json = {}
    for number, codec, _, length in heads:
        packed = data[at : at + length]
        at += length
        if kinds[number] == "text":
            found[number] = column("u1", codec, packed, 0).tobytes() if packed else b""
        else:
            found[number] = column(kinds[number], codec, packed, sizes(number)) if packed else []
    must(at == len(data), "bytes are left behind the columns")
    return found


class Blocks:
    """A segment or a file of roll-ups, every checksum of it compared."""

    def __init__(self, path: Path, mark: bytes, kinds: dict[int, str], count: int) -> None:
        self.data = data = path.read_bytes()
        self.mark, self.kinds, self.count = mark, kinds, count
        must(data[:8] == b"GEMELSEG", f"{path}: no segment")
        version, self.first, self.last, self.marks = struct.unpack_from("<IIIQ", data, 8)
        must(version == 1, f"{path}: version {version}")
        check(data[:28], data[28:32], f"{path}, header")
        must(data[-32:-24] == b"GEMELEND", f"{path}: no footer")
        check(data[-32:-4], data[-4:], f"{path}, footer")
        offset, length, self.readings = struct.unpack_from("<QIQ", data, len(data) - 24)
        must(offset + length + 32 == len(data), f"{path}: the index is elsewhere")
        self._index(data[offset : offset + length], f"{path}, index")
        self.walked(offset)

    def _index(self, data: bytes, what: str) -> None:
        must(data[:4] == b"GmIx", what)
        check(data[:-4], data[-4:], what)
        blocks, parts = struct.unpack_from("<II", data, 4)
        self.index = columns(
            data[:-4], 12, INDEX, 8, lambda number: blocks if number < 7 else parts
        )
        self.places = list(zip(self.index[1], self.index[2], strict=True))

    def walked(self, end: int) -> None:
        """The blocks state their lengths too, and leave no gaps."""
        at, places = 32, []
        while at < end:
            places.append((at, struct.unpack_from("<I", self.data, at + 12)[0]))
            at += places[-1][1]
        must(places == self.places, "the index names other blocks than there are")

    def __iter__(self) -> Iterator[Json]:
        parts = 0
        for number, (offset, length) in enumerate(self.places):
            block = self.data[offset : offset + length]
            must(block[:4] == self.mark, f"block {number} has another mark")
            check(block[:16], block[16:20], f"block {number}, header")
            check(block[:-4], block[-4:], f"block {number}")
            n, p = struct.unpack_from("<II", block, 4)
            sizes = lambda column, n=n, p=p: p if column < 3 else n  # noqa: E731
            found = columns(block[:-4], 20, self.kinds, self.count, sizes)
            stated = [self.index[k][number] for k in (3, 4, 5, 6)]
            must(stated == [n, p, min(found[3]), max(found[3])], f"block {number}: the index")
            must(list(self.index[7][parts : parts + p]) == list(found[1]), "series of the index")
            must(list(self.index[8][parts : parts + p]) == list(found[2]), "rows of the index")
            parts += p
            yield found


def segment_readings(path: Path) -> Iterator[tuple[int, Reading]]:
    file = Blocks(path, b"GmBk", SEGMENT, 7)
    count = 0
    for block in file:
        texts = block[7].splitlines()
        received = block[8] if 8 in block else block[6] + block[3] // 1_000_000
        series = np.repeat(block[1], block[2]).tolist()
        bits = block[4].view("<i8") & 0x7_FFFF_FFFF_FFFF
        is_text = np.isnan(block[4]) & (bits > 0)
        for row, number in enumerate(series):
            value = float(block[4][row])
            if is_text[row]:
                value = json.loads(json.loads(texts[bits[row] - 1]))
            quality = int(block[5][row])
            yield number, Reading(int(block[3][row]), value, quality, int(received[row]))
        count += len(series)
    must(count == file.readings, f"{path}: the footer counts {file.readings}, there are {count}")


# ---- history.md, log

MARK = b"\xf5\x47\x6d\x52"


class Log:
    """The records of one log file (or checkpoint): those that prove themselves."""

    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()
        must(self.data[:8] == b"GEMELWAL", f"{path}: no log")
        check(self.data[:28], self.data[28:32], f"{path}, header")
        version, self.number, self.first = struct.unpack_from("<IIQ", self.data, 8)
        must(version == 1, f"{path}: version {version}")

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        at, following = 32, self.first
        while at < len(self.data):
            head = self.data[at : at + 32]
            size = struct.unpack_from("<I", head, 8)[0] if len(head) == 32 else 0
            room = (size + 7) // 8 * 8
            body = self.data[at + 32 : at + 32 + room]
            crc = struct.unpack_from("<I", head, 12)[0] if size or len(head) == 32 else 0
            is_head = head[:4] == MARK and zlib.crc32(head[:28]) == int.from_bytes(
                head[28:], "little"
            )
            if not is_head or len(body) < room or zlib.crc32(body) != crc:
                at += 8
                continue
            sequence = struct.unpack_from("<Q", head, 16)[0]
            must(sequence == following, f"record {following} is missing")
            following += 1
            yield head[4], body[:size]
            at += 32 + room


def batch_readings(data: bytes) -> Iterator[tuple[int, Reading]]:
    batches, n, flags, quality = struct.unpack_from("<IIBB", data)
    at = 16

    def take(kind: str, count: int) -> Any:
        nonlocal at
        found = np.frombuffer(data, kind, count, at)
        at += found.nbytes
        return found

    received = take("<i8", batches)
    received = np.repeat(received, take("<i8", batches)) // 1_000_000
    time, value, series = take("<i8", n), take("<f8", n).tolist(), take("<i4", n)
    qualities = take("u1", n) if flags & 1 else np.full(n, quality)
    for row, text in json.loads(data[at:]) if flags & 2 else []:
        value[row] = json.loads(text)
    for row in range(n):
        yield (
            int(series[row]),
            Reading(int(time[row]), value[row], int(qualities[row]), int(received[row])),
        )


# ---- history.md, the folder


class History:
    """All readings of a folder, each copy once; its roll-ups and rejects."""

    def __init__(self, folder: Path) -> None:
        self.names: dict[int, Series] = {}
        self.rejects: list[Json] = []
        self.roll_ups: dict[str, list[Rolled]] = {"1m": [], "1h": []}
        self._kept: dict[Series, dict[int, list[Reading]]] = {}
        for line in self._lines(folder / "series.jsonl"):
            must(line["n"] == len(self.names), f"series.jsonl lacks series {len(self.names)}")
            self._name(line)
        through = 0
        for first, last, path in self._segments(folder / "segments"):
            if first <= through:
                continue
            for series, reading in segment_readings(path):
                self._keep(series, reading)
            for width in self.roll_ups:
                rolled = path.with_name(f"{path.name}.{width}")
                if rolled.exists():
                    self.roll_ups[width] += self._rolled(rolled)
            through = last
        for path in sorted((folder / "rejects").glob("*.jsonl.zst")):
            self.rejects += self._rejects(path)
        for path in sorted((folder / "log").glob("*.wal")):
            if int(path.stem) > through:
                self._replay(path)

    @staticmethod
    def _lines(path: Path) -> Iterator[Json]:
        for line in path.read_bytes().split(b"\n")[:-1] if path.exists() else []:
            crc, _, text = line.partition(b" ")
            must(zlib.crc32(text) == int(crc, 16), f"{path}: a damaged line")
            yield json.loads(text)

    @staticmethod
    def _segments(folder: Path) -> list[tuple[int, int, Path]]:
        """In order of first log file, the longest of those that begin with it first."""
        found = {}
        for path in sorted(folder.iterdir(), reverse=True):
            if match := re.fullmatch(r"(\d+)-(\d+)\.(seg|gone)", path.name):
                place = int(match[1]), int(match[2])
                if match[3] == "gone" or place not in found:
                    found[place] = path
        order = sorted(found, key=lambda place: (place[0], -place[1]))
        return [(*place, found[place]) for place in order]

    def _name(self, line: Json) -> None:
        paths = line["paths"] if "paths" in line else [line["path"]]
        for number, path in enumerate(paths, line["n"]):
            self.names[number] = Series(line["twin"], path, line["provenance"])

    def _keep(self, number: int, reading: Reading) -> None:
        """The last copy stays, with the receipt of the first; where later values replace earlier
        ones, A behind B is no copy."""
        series = self.names[number]
        kept = self._kept.setdefault(series, {}).setdefault(reading.time, [])
        for place in (-1,) if is_revised(series) else range(-len(kept), 0):
            if kept and kept[place].identity == reading.identity:
                before = kept.pop(place)
                if not is_revised(series):
                    reading = reading._replace(received=min(before.received, reading.received))
                break
        kept.append(reading)

    def _replay(self, path: Path) -> None:
        for kind, payload in Log(path):
            if kind == 1:
                for line in payload.splitlines():
                    self._name(json.loads(line))
            elif kind == 2:
                for series, reading in batch_readings(payload):
                    self._keep(series, reading)
            elif kind == 3:
                self.rejects += map(json.loads, payload.splitlines())

    @staticmethod
    def _rejects(path: Path) -> Iterator[Json]:
        first = zstandard.ZstdDecompressor().decompressobj()
        counts = json.loads(first.decompress(path.read_bytes()))
        lines = unzip(first.unused_data).splitlines()
        must(counts["rejects"] == len(lines), f"{path}: {counts['rejects']} lines are stated")
        yield from map(json.loads, lines)

    def _rolled(self, path: Path) -> Iterator[Rolled]:
        for block in Blocks(path, b"GmRo", ROLL_UP, 14):
            rows = [block[n].tolist() for n in (3, *range(16, 27))]
            numbers = np.repeat(block[1], block[2]).tolist()
            for number, begin, count, *rest in zip(numbers, *rows, strict=True):
                ends = [(begin + rest[i], rest[i + 1]) for i in (0, 2, 4, 6)]
                series = self.names[number // 2]
                yield Rolled(series, begin, count, *ends, *rest[8:], bool(number % 2))

    def of(self, series: Series) -> list[Reading]:
        """Ordered by time; those of one time in the order of their arrival."""
        kept = self._kept.get(series, {})
        return [reading for time in sorted(kept) for reading in kept[time]]

    def counting(self, series: Series) -> list[Reading]:
        """Those that roll-ups are made of."""
        kept = self._kept.get(series, {})
        versions = slice(-1, None) if is_revised(series) else slice(None)
        found = [reading for time in sorted(kept) for reading in kept[time][versions]]
        return [one for one in found if one.quality < BAD and isinstance(one.value, float)]

    @property
    def series(self) -> list[Series]:
        return list(self._kept)


def checkpoint_blobs(path: Path) -> dict[str, bytes]:
    """The state after all readings of the log files up to the one it is named by."""
    *records, (kind, end) = list(Log(path))
    must(kind == 5 and len(records) == struct.unpack("<I", end)[0], f"{path} is not whole")
    found = {}
    for kind, data in records:
        length = struct.unpack_from("<I", data)[0]
        name, blob = data[4 : 4 + length].decode(), data[4 + length :]
        found[name] = zstandard.ZstdDecompressor().decompress(blob) if kind == 6 else blob
    return found
