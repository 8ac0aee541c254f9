"""Feeds the compiled fast path, built with sanitizers, with mutated bytes for so many seconds.

    python feed_fast.py SECONDS SEED [CORPUS]

Run by test_fast_fuzz.py, which builds it. It is guided by coverage: an input that runs blocks of
the C code in an order, or as often, as none before is kept and mutated further. Every input lies
at the end of its own allocation, so that a byte read beyond is seen; every result is compared with
the twin in Python. CORPUS is a folder of inputs to begin with, to which the kept ones are added;
`last` in it is what ran when the process died.
"""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import random
import re
import sys
import time
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from core.payloads import LIMIT, NOW, TOPICS, WHO, Maker, columns_of, routes
from gemel.connect.mqtt.codec import Decoder, encode_publish
from gemel.connect.mqtt.packets import Publish
from gemel.core import fast
from gemel.core.batch import make_batch
from gemel.core.message import Message
from gemel.ingest.columns import Columns
from gemel.ingest.decode import decode_here
from gemel.services.rules.compiler import PropertyShape
from gemel.services.rules.engine import RuleEngine
from gemel.services.rules.rule import load_rule

PROPERTIES = {name: PropertyShape("number") for name in "ab"}
WHENS = [
    "a > 5",
    "a >= 5 for 3 s",
    "b < 3 deadband 1 off for 4 s",
    "a <= 4 deadband 2 for 2 s off for 2 s",
    "b > 1e300",
    "a > b for 2 s",
    "5 < a",
]
VALUES = (0.0, 3.0, 4.0, 4.5, 5.0, 6.0, 9.0, 1e308, float("nan"), float("inf"))
OFTEN = (*TOPICS, *TOPICS[:2] * 4)


LAST = 1 << 20
NUMBER = re.compile(rb"-?\d[\d.eE+-]*")


class Coverage:
    """Which blocks of the C code ran after which, and about how often."""

    def __init__(self) -> None:
        assert fast.IS_COMPILED
        library = ctypes.CDLL(import_module("gemel.core._fast").__file__)
        counts = (ctypes.c_uint8 * 65_536).in_dll(library, "gemel_coverage")
        self._counts = np.frombuffer(counts, np.uint8)
        self._words = self._counts.view(np.uint64)
        self._seen = np.zeros(65_536, np.uint8)
        self._class = np.zeros(256, np.uint8)
        for bit, first in enumerate((1, 2, 3, 4, 8, 16, 32, 128)):
            self._class[first:] = 1 << bit
        self.start()

    def start(self) -> None:
        self._counts[:] = 0

    def is_new(self) -> bool:
        """Whether what ran since `start` has not been seen."""
        words = np.flatnonzero(self._words)
        at = (words[:, None] * 8 + np.arange(8)).ravel()
        found = self._class[self._counts[at]]
        is_new = bool((found & ~self._seen[at]).any())
        if is_new:
            self._seen[at] |= found
        return is_new

    @property
    def blocks(self) -> int:
        return int(np.count_nonzero(self._seen))


class Corpus:
    """Inputs of one kind that led somewhere new."""

    def __init__(self, folder: Path | None, kind: str, most: int = 5_000) -> None:
        self.inputs: list[bytes] = []
        self._folder = folder / kind if folder else None
        self._most = most
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.inputs += [file.read_bytes() for file in sorted(self._folder.iterdir())]

    def keep(self, data: bytes) -> None:
        self.inputs.append(data)
        del self.inputs[: -self._most]
        if self._folder:
            name = hashlib.sha256(data).hexdigest()[:20]
            (self._folder / name).write_bytes(data)


class Feed:
    """Keeps inputs that led somewhere new, and mutates them further."""

    def __init__(self, seed: int, folder: Path | None) -> None:
        self.rng = random.Random(seed)
        self.maker = Maker(self.rng)
        self.routes, self.keep = routes()
        self.coverage = Coverage()
        self.payloads = Corpus(folder, "payloads")
        self.streams = Corpus(folder, "streams")
        self.count = self.taken = 0
        self.last: mmap.mmap | None = None
        if folder:
            (folder / "last").write_bytes(bytes(LAST))
            with (folder / "last").open("r+b") as file:
                self.last = mmap.mmap(file.fileno(), LAST)

    def note(self, *data: bytes) -> None:
        """What runs next, on disk whatever becomes of this process."""
        if self.last is not None:
            text = repr(data).encode()[: LAST - 1] + b"\n"
            self.last[: len(text)] = text

    def payload(self) -> bytes:
        kept = self.payloads.inputs
        if not kept or self.rng.random() < 0.5:
            return self.maker.payload()
        return self.mutated(kept)

    def mutated(self, kept: list[bytes]) -> bytes:
        """One of the kept, with another number in it (most stay well-formed), or damaged."""
        data = bytearray(self.rng.choice(kept))
        numbers = list(NUMBER.finditer(data))
        if numbers and self.rng.random() < 0.6:
            place = self.rng.choice(numbers)
            data[place.start() : place.end()] = self.maker.number().encode()
            return bytes(data)
        self.maker.damage(data)
        if self.rng.random() < 0.2:
            data += self.rng.choice(kept)[self.rng.randrange(20) :]
        return bytes(data)

    def decode(self) -> None:
        rng = self.rng
        messages = [
            Message(rng.choice(OFTEN), self.payload(), NOW + i, WHO)
            for i in range(rng.randrange(1, 6))
        ]
        columns, seen = Columns(), {}
        arrays = (columns.slots, columns.times, columns.values)
        self.note(*(m.payload for m in messages))
        self.coverage.start()
        count = fast.decode(messages, 0, self.routes, *arrays, LIMIT, seen)
        if self.coverage.is_new():
            for message in messages[: count + 1]:
                self.payloads.keep(message.payload)
        other, other_seen = Columns(), {}
        here = decode_here(messages[:count], 0, self.routes, other, LIMIT, other_seen)
        assert here == count, messages[here]
        assert columns_of(columns) == columns_of(other), messages[:count]
        assert seen == other_seen
        self.taken += count

    def stream(self, version: int) -> bytes:
        rng = self.rng
        if self.streams.inputs and rng.random() < 0.5:
            return self.mutated(self.streams.inputs)
        data = bytearray()
        for _ in range(rng.randrange(1, 6)):
            flags = rng.choice((0, 2, 2, 2, 10, 1, 4))
            topic = rng.choice((*OFTEN, "unknown"))
            data += encode_publish(version, topic, self.payload(), flags, rng.randrange(1, 65_536))
        for _ in range(rng.randrange(0, 3)):
            self.maker.damage(data)
        return bytes(data)

    def scan(self) -> None:
        rng, version = self.rng, self.rng.choice((4, 5))
        data = self.stream(version)
        messages, known = fast.Messages(), {t.encode(): t for t in TOPICS}
        five, most = version == 5, rng.choice((1 << 28, 100))
        self.note(data)
        self.coverage.start()
        at, count, acks = fast.scan(
            messages, data, 0, five, most, known, rng.choice((2, 99)), WHO, NOW
        )
        if self.coverage.is_new():
            self.streams.keep(data)
        packets = [Publish(*messages.packet(i)) for i in range(count)]
        assert packets == Decoder(version).feed(data[:at])
        assert len(acks) == 4 * sum(p.flags >> 1 & 1 for p in packets)
        columns = Columns()
        start = 0
        while start < count:
            arrays = (columns.slots, columns.times, columns.values)
            start = fast.decode(messages, start, self.routes, *arrays, LIMIT, {}) + 1

    def columns(self) -> None:
        chance = np.random.default_rng(self.rng.randrange(2**32))
        size = int(chance.integers(1, 300))
        series = chance.integers(-1, 20, size).astype(np.int32)
        time_ = chance.integers(0, 40, size)
        bits = chance.integers(-(2**63), 2**63 - 1, 5)[chance.integers(0, 5, size)]
        known = np.zeros(size, np.uint8)
        fast.mark_repeated(series, time_, bits, known)
        plain = np.zeros(size, np.uint8)
        fast.plain_mark_repeated(series, time_, bits, plain)
        assert (known == plain).all()

    def rules(self) -> None:
        """One engine judges with what is compiled, the other with numpy."""
        rng, engines = self.rng, (RuleEngine(), RuleEngine())
        for number, when in enumerate(rng.sample(WHENS, rng.randrange(1, len(WHENS)))):
            rule = load_rule(f"r{number}", {"model": "m", "when": when}, PROPERTIES)
            for engine in engines:
                twins = [(f"t{i}", {"a": 2 * i, "b": 2 * i + 1}) for i in range(number, 5)]
                engine.set_rule(rule, twins)
        second, now = 10**9, 1_700_000_000 * 10**9
        for _ in range(rng.randrange(1, 8)):
            size = rng.randrange(0, 60)
            columns = [
                (rng.randrange(14), now + rng.randrange(-3, 20) * second, rng.choice(VALUES), 0)
                for _ in range(size)
            ]
            if rng.random() < 0.7:
                columns.sort(key=lambda row: row[1])
            columns = [(*row[:3], rng.choice((0, 0, 0, 64, 128))) for row in columns]
            now += rng.randrange(30) * second
            batch = make_batch(columns, now)
            found = []
            for engine, is_compiled in zip(engines, (True, False), strict=True):
                fast.IS_COMPILED = is_compiled
                found.append([engine.react(batch), engine.tick(now + second), engine.snapshot()])
            fast.IS_COMPILED = True
            assert repr(found[0]) == repr(found[1])

    def names(self) -> None:
        """Tables grow, names meet, and all is given back."""
        table = fast.Names()
        for i in range(self.rng.randrange(200)):
            table.add(f"{self.maker.name()}{i % 150}", i, 1, 0, 0)


def main() -> None:
    seconds, seed = float(sys.argv[1]), int(sys.argv[2])
    feed = Feed(seed, Path(sys.argv[3]) if len(sys.argv) > 3 else None)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(50):
            feed.decode()
            feed.scan()
        feed.columns()
        feed.rules()
        feed.names()
        feed.count += 100
    kept = len(feed.payloads.inputs), len(feed.streams.inputs)
    print(
        f"{feed.count} inputs, {feed.taken} messages taken, kept {kept[0]} payloads and {kept[1]}"
    )
    print(f"streams, {feed.coverage.blocks} orders of blocks")


if __name__ == "__main__":
    main()
