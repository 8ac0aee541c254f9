"""Feeds the compiled fast path, built with sanitizers, with mutated bytes for so many seconds.

    python feed_fast.py SECONDS SEED

Run by test_fast_fuzz.py, which builds it. Every input lies at the end of its own allocation, so
that a byte read beyond is seen; every result is compared with the twin in Python.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from core.payloads import LIMIT, NOW, TOPICS, WHO, Maker, columns_of, routes
from gemel.connect.mqtt.codec import Decoder, encode_publish
from gemel.connect.mqtt.packets import Publish
from gemel.core import fast
from gemel.core.message import Message
from gemel.ingest.columns import Columns
from gemel.ingest.decode import decode_here

OFTEN = (*TOPICS, *TOPICS[:2] * 4)


class Feed:
    """Keeps inputs that led somewhere new, and mutates them further."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.maker = Maker(self.rng)
        self.routes, self.keep = routes()
        self.kept: list[bytes] = []
        self.known: set[object] = set()
        self.count = self.taken = 0

    def payload(self) -> bytes:
        if not self.kept or self.rng.random() < 0.7:
            return self.maker.payload()
        data = bytearray(self.rng.choice(self.kept))
        self.maker.damage(data)
        if self.rng.random() < 0.2:
            data += self.rng.choice(self.kept)[self.rng.randrange(20) :]
        return bytes(data)

    def decode(self) -> None:
        rng = self.rng
        messages = [
            Message(rng.choice(OFTEN), self.payload(), NOW + i, WHO)
            for i in range(rng.randrange(1, 6))
        ]
        columns, seen = Columns(), {}
        arrays = (columns.slots, columns.times, columns.values)
        count = fast.decode(messages, 0, self.routes, *arrays, LIMIT, seen)
        other, other_seen = Columns(), {}
        here = decode_here(messages[:count], 0, self.routes, other, LIMIT, other_seen)
        assert here == count, messages[here]
        assert columns_of(columns) == columns_of(other), messages[:count]
        assert seen == other_seen
        self.taken += count
        shape = (count, len(columns), len(set(columns.times)), len(messages[0].payload) // 8)
        if shape not in self.known:
            self.known.add(shape)
            self.kept += [m.payload for m in messages[:count]]
            del self.kept[:-5_000]

    def scan(self) -> None:
        rng, version = self.rng, self.rng.choice((4, 5))
        data = bytearray()
        for _ in range(rng.randrange(1, 6)):
            flags = rng.choice((0, 2, 2, 2, 10, 1, 4))
            topic = rng.choice((*OFTEN, "unknown"))
            data += encode_publish(version, topic, self.payload(), flags, rng.randrange(1, 65_536))
        for _ in range(rng.randrange(0, 3)):
            self.maker.damage(data)
        messages, known = fast.Messages(), {t.encode(): t for t in TOPICS}
        five, most = version == 5, rng.choice((1 << 28, 100))
        at, count, acks = fast.scan(
            messages, bytes(data), 0, five, most, known, rng.choice((2, 99)), WHO, NOW
        )
        packets = [Publish(*messages.packet(i)) for i in range(count)]
        assert packets == Decoder(version).feed(bytes(data[:at]))
        assert len(acks) == 4 * sum(p.flags >> 1 & 1 for p in packets)
        columns = Columns()
        start = 0
        while start < count:
            arrays = (columns.slots, columns.times, columns.values)
            start = fast.decode(messages, start, self.routes, *arrays, LIMIT, {}) + 1

    def order(self) -> None:
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
        keys = series.astype(np.int64) * int(chance.choice((1, 1000, 2**61)))
        for times in (time_, np.sort(time_)):
            assert (fast.order(keys, times) == fast.plain_order(keys, times)).all()

    def names(self) -> None:
        """Tables grow, names meet, and all is given back."""
        table = fast.Names()
        for i in range(self.rng.randrange(200)):
            table.add(f"{self.maker.name()}{i % 150}", i, 1, 0, 0)


def main() -> None:
    seconds, seed = float(sys.argv[1]), int(sys.argv[2])
    assert fast.IS_COMPILED
    feed = Feed(seed)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(50):
            feed.decode()
            feed.scan()
        feed.order()
        feed.names()
        feed.count += 100
    print(f"{feed.count} inputs, {feed.taken} messages taken, {len(feed.known)} shapes")


if __name__ == "__main__":
    main()
