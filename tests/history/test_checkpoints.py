from __future__ import annotations

import asyncio
import json
import threading
import zlib

import pytest

from gemel.core.batch import EMPTY
from gemel.core.errors import Unavailable
from gemel.history.checkpoints import read_blobs
from gemel.history.damage import DamageList
from gemel.history.record import Kind, file_header, frame

ALL = (-(2**63), 2**63)


class Platform:
    """Applies batches as the loop does: in callbacks, in order; its state is what it applied."""

    def __init__(self, opened, rows_batch, **options):
        self.applied: list[float] = []
        self.history = opened(1, on_seal=self.save, **options)
        blob = self.history.checkpoints().get("applied", b"")
        self.applied = [float(v) for v in blob.split()]
        self.restored = len(self.applied)
        for batch in self.history.replay():
            self.applied += batch.value.tolist()
        self.rows_batch = rows_batch

    def save(self):
        return {"applied": " ".join(map(str, self.applied)).encode(), "empty": b""}

    def send(self, number: float) -> None:
        batch = self.rows_batch((0, number, number))
        self.history.append(batch, then=lambda e: self.applied.append(number))

    def settle(self) -> None:
        done = threading.Event()
        self.history.append(EMPTY, then=lambda e: done.set())
        assert done.wait(60)


def test_checkpoint_and_replay_give_every_batch_exactly_once(opened, rows_batch):
    expected: list[float] = []
    for round_ in range(5):
        platform = Platform(opened, rows_batch)
        assert platform.applied == expected
        for i in range(20):
            platform.send(round_ * 100 + i)
            expected.append(round_ * 100.0 + i)
            if i == 10 + round_:
                platform.settle()
                platform.history.seal()
        platform.settle()
        platform.history.close()
    platform = Platform(opened, rows_batch)
    assert platform.applied == expected
    assert platform.restored == 80 + 15


def test_completing_leaves_nothing_to_replay_and_seals_nothing(opened, rows_batch):
    for number in range(3):
        platform = Platform(opened, rows_batch)
        assert platform.restored == len(platform.applied) == number
        platform.send(number)
        platform.history.complete()
        assert platform.history.statistics().segments == 0
        platform.history.close()


def test_what_comes_after_the_last_checkpoint_is_replayed(opened, rows_batch):
    platform = Platform(opened, rows_batch)
    platform.send(1)
    platform.history.complete()
    platform.send(2)
    platform.history.close()
    again = Platform(opened, rows_batch)
    assert (again.restored, again.applied) == (1, [1.0, 2.0])


def test_the_checkpoint_is_taken_between_batches_on_the_loop(opened, rows_batch):
    async def run() -> None:
        loop = asyncio.get_running_loop()
        platform = Platform(opened, rows_batch, notify=loop.call_soon_threadsafe, segment_rows=10)
        for i in range(200):
            platform.send(i)
            if i % 7 == 0:
                await asyncio.sleep(0)
        done = asyncio.Event()
        platform.history.append(EMPTY, then=lambda e: done.set())
        await asyncio.wait_for(done.wait(), 60)
        await asyncio.to_thread(platform.history.seal)
        platform.history.close()

    asyncio.run(run())
    platform = Platform(opened, rows_batch)
    assert platform.applied == [float(i) for i in range(200)]
    assert platform.restored == 200


def test_what_was_replayed_is_not_replayed_again(opened, rows_batch):
    platform = Platform(opened, rows_batch)
    for i in range(10):
        platform.send(i)
    platform.settle()
    platform.history.close()
    platform = Platform(opened, rows_batch)
    assert platform.restored == 0
    platform.history.checkpoint()
    platform.history.close()  # the checkpoint is written, whatever is sealed by then
    platform = Platform(opened, rows_batch)
    assert platform.restored == 10
    platform.history.checkpoint()  # nothing was replayed: it stays as it is
    platform.send(10)
    platform.settle()
    platform.history.close()
    platform = Platform(opened, rows_batch)
    assert platform.applied == [float(i) for i in range(11)]
    assert platform.restored == 10


def test_a_checkpoint_takes_little_where_it_repeats_itself(opened, rows_batch):
    history = opened(1, on_seal=lambda: {"same": b"again" * 10_000})
    opened.store(history, rows_batch((0, 1, 1.0)))
    history.seal()
    size = history.statistics().bytes_by_kind["checkpoints"]
    [file] = (opened.folder / "checkpoints").iterdir()
    assert file.stat().st_size == size < 1_000
    history.close()
    assert opened().checkpoints() == {"same": b"again" * 10_000}


def test_names_and_checkpoints_of_before_are_read(opened, rows_batch):
    """A line a series, and blobs as they are."""
    history = opened(2, on_seal=lambda: {"applied": b"1"})
    opened.store(history, rows_batch((0, 1, 1.0), (1, 1, 2.0)))
    history.seal()
    history.close()
    names = []
    for number, key in enumerate(history.series.keys):
        text = json.dumps({"n": number, **key._asdict()}).encode()
        names.append(b"%08x %b\n" % (zlib.crc32(text), text))
    (opened.folder / "series.jsonl").write_bytes(b"".join(names))
    [file] = (opened.folder / "checkpoints").iterdir()
    payload = [len("applied").to_bytes(4, "little") + b"applied", b"what it was"]
    pieces = [file_header(1, 0), *frame(Kind.CHECKPOINT, 0, payload)]
    pieces += frame(Kind.OTHER, 1, [(1).to_bytes(4, "little")])
    file.write_bytes(b"".join(map(bytes, pieces)))
    found = opened()
    assert list(found.series.keys) == list(history.series.keys)
    assert found.checkpoints() == {"applied": b"what it was"}
    assert found.read(1, *ALL).value.tolist() == [2.0]
    assert not found.check()


def test_without_a_checkpoint_the_log_is_kept_and_replayed(opened, rows_batch, caplog):
    def broken():
        raise ValueError("no state today")

    history = opened(1, on_seal=broken)
    opened.store(history, rows_batch((0, 1, 1.0)))
    history.seal(wait=False)
    opened.store(history, rows_batch((0, 2, 2.0)))
    history.close()
    assert "on_seal failed" in caplog.text
    history = opened(on_seal=dict)
    assert [batch.value.tolist() for batch in history.replay()] == [[1.0], [2.0]]
    assert history.read(0, *ALL).value.tolist() == [1.0, 2.0]
    assert history.checkpoints() == {}


def test_replay_gives_batches_as_they_were(opened, rows_batch):
    history = opened(2)
    sent = [
        rows_batch((0, 1, 1.0), (1, 2, '"on"'), received=12345),
        rows_batch((1, 3, 2.5), quality=64, received=12346),
        rows_batch((0, 0, '"off"'), (1, 0, 1.0), (0, 0.5, '{"a": 1}'), received=7),
    ]
    for batch in sent:
        history.append(batch)
    history.close()
    found = list(opened().replay())
    assert len(found) == 3
    for one, two in zip(sent, found, strict=True):
        assert one.received == two.received
        assert dict(one.text) == dict(two.text)
        for name in ("series", "time", "quality"):
            assert getattr(one, name).tolist() == getattr(two, name).tolist()
        assert one.value.tobytes() == two.value.tobytes()


@pytest.mark.parametrize("place", [2, 40, 70, -1])
def test_a_damaged_checkpoint_is_named_and_not_used(opened, rows_batch, place):
    platform = Platform(opened, rows_batch)
    platform.send(1)
    platform.settle()
    platform.history.seal()
    platform.history.close()
    (path,) = (opened.folder / "checkpoints").iterdir()
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    history = opened()
    assert history.checkpoints() == {}
    assert history.statistics().damage[0].file == f"checkpoints/{path.name}"
    assert history.read(0, *ALL).value.tolist() == [1.0]


def test_a_start_without_a_checkpoint_leaves_one(opened, rows_batch):
    platform = Platform(opened, rows_batch)
    platform.send(1)
    platform.settle()
    platform.history.seal()
    platform.history.close()
    (path,) = (opened.folder / "checkpoints").iterdir()
    path.unlink()
    platform = Platform(opened, rows_batch)
    assert (platform.restored, platform.applied) == (0, [])  # looked up in the segments, if at all
    platform.history.checkpoint()
    platform.history.close()
    assert [one.name for one in (opened.folder / "checkpoints").iterdir()] == [path.name]
    assert opened().checkpoints()


def test_a_cut_off_checkpoint_is_not_used(opened, rows_batch):
    platform = Platform(opened, rows_batch)
    platform.send(1)
    platform.settle()
    platform.history.seal()
    platform.history.close()
    (path,) = (opened.folder / "checkpoints").iterdir()
    whole = path.read_bytes()
    for size in range(len(whole)):
        damage = DamageList()
        assert read_blobs(whole[:size], path.name, damage) is None
        assert len(damage) == 1


def test_sealing_waits_for_the_checkpoint_and_says_when_there_is_none(opened, rows_batch):
    calls: list[object] = []
    history = opened(1, on_seal=dict, notify=calls.append)
    history.append(rows_batch((0, 1, 1.0)))

    def seal() -> None:
        with pytest.raises(Unavailable):
            history.seal()

    waiting = threading.Thread(target=seal)
    waiting.start()
    while not calls:
        pass
    history.close()
    waiting.join()
    assert (opened.folder / "log" / "00000001.wal").exists()
