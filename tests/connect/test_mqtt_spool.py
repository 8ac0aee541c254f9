"""A front's log: durable records, cut or flipped at any byte, taken over once."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemel.connect.mqtt import spool
from gemel.connect.mqtt.spool import MAGIC, PACKETS, Hole, Place, Spool, Writer, entry

START = Place(0, 0)
TEXTS = [b"one", b"two" * 30, b"", b"GSPRfour"]


def filled(folder: Path, texts: list[bytes] = TEXTS) -> list[Place]:
    """The places where the records of a new spool end."""
    writer = Writer(folder)
    writer.rotate()
    ends = [
        writer.append([entry(PACKETS, n, text, 100 + n), entry(PACKETS, n, b"!", n)])
        for n, text in enumerate(texts)
    ]
    writer.close()
    return ends


def read(folder: Path, since: Place = START) -> tuple[list[bytes], list[Hole]]:
    found = Spool(folder)
    return [record.entries[0].data for record in found.rest(since)], found.holes


def test_what_is_written_is_read_with_who_and_when(tmp_path: Path):
    filled(tmp_path / "a")
    found = list(Spool(tmp_path / "a").rest(Place(0, 0)))
    assert [record.entries[0].data for record in found] == TEXTS
    assert [record.entries[0].received for record in found] == [100, 101, 102, 103]
    assert [record.entries[1].channel for record in found] == [0, 1, 2, 3]


def test_a_file_cut_at_any_byte_gives_the_records_before_it(tmp_path: Path):
    ends = filled(tmp_path / "a")
    path = spool.path_of(tmp_path / "a", 1)
    whole = path.read_bytes()
    for size in range(len(MAGIC), len(whole)):
        path.write_bytes(whole[:size])
        texts, holes = read(tmp_path / "a")
        kept = sum(end.offset <= size for end in ends)
        assert texts == TEXTS[:kept]
        begin = ends[kept - 1].offset if kept else len(MAGIC)
        expected = [Hole(path.name, begin, size - begin, True)] if size > begin else []
        assert holes == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_a_flipped_bit_costs_one_record_and_is_named(tmp_path: Path, data: st.DataObject):
    if not (tmp_path / "a").exists():
        filled(tmp_path / "a")
        (tmp_path / "whole").write_bytes(spool.path_of(tmp_path / "a", 1).read_bytes())
    whole = (tmp_path / "whole").read_bytes()
    at = data.draw(st.integers(len(MAGIC), len(whole) - 1))
    broken = bytearray(whole)
    broken[at] ^= 1 << data.draw(st.integers(0, 7))
    path = spool.path_of(tmp_path / "a", 1)
    path.write_bytes(broken)
    texts, holes = read(tmp_path / "a")
    assert len(texts) == len(TEXTS) - 1
    (hole,) = holes
    assert hole.offset <= at < hole.offset + hole.length
    named = list(spool.survey_folder(path.parent))
    assert named == [hole]


def test_what_is_taken_is_not_read_again_and_its_files_go(tmp_path: Path):
    folder = tmp_path / "a"
    writer = Writer(folder, file_bytes=50)
    ends = []
    for number in range(4):
        if writer.is_full:
            writer.rotate()
        ends.append(writer.append([entry(PACKETS, 1, b"%d" % number * 30, 1)]))
    found = Spool(folder)
    assert [end.file for end in ends] == [1, 2, 3, 4]
    found.take(ends[1])
    assert found.files() == [2, 3, 4]
    assert Spool(folder).taken() == ends[1]
    assert read(folder, Spool(folder).taken())[0] == [b"2" * 30, b"3" * 30]
    (folder / "taken").write_bytes(b"x" * 20)
    assert Spool(folder).taken() == Place(0, 0)


def test_damage_before_what_was_taken_over_is_named_too(tmp_path: Path):
    """It may say who sent what was not taken over yet."""
    ends = filled(tmp_path / "a")
    spool.Spool(tmp_path / "a").take(ends[1])
    path = spool.path_of(tmp_path / "a", 1)
    whole = path.read_bytes()
    assert spool.survey_folder(path.parent) == []
    path.write_bytes(whole[:30] + bytes([whole[30] ^ 4]) + whole[31:])
    [hole] = spool.survey_folder(path.parent)
    assert (hole.file, hole.offset, hole.is_torn_tail) == (path.name, len(MAGIC), False)
    path.write_bytes(whole[: ends[0].offset])
    length = ends[1].offset - ends[0].offset
    assert spool.survey_folder(path.parent) == [Hole(path.name, ends[0].offset, length, False)]


def test_a_note_of_what_was_taken_over_that_changed_is_named(tmp_path: Path):
    ends = filled(tmp_path / "a")
    spool.Spool(tmp_path / "a").take(ends[1])
    note = tmp_path / "a" / "taken"
    whole = note.read_bytes()
    for bit in range(8 * len(whole)):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        note.write_bytes(data)
        assert spool.survey_folder(tmp_path / "a") == [Hole("taken", 0, 20, True)]
        assert read(tmp_path / "a", Spool(tmp_path / "a").taken())[0] == TEXTS


def test_a_record_that_could_not_be_written_is_cut_off(tmp_path: Path, monkeypatch):
    folder = tmp_path / "a"
    writer = Writer(folder)
    writer.rotate()
    writer.append([entry(PACKETS, 1, b"kept", 1)])

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "no room")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", full)
        with pytest.raises(OSError, match="no room"):
            writer.append([entry(PACKETS, 1, b"lost" * 100, 1)])
    writer.append([entry(PACKETS, 1, b"next", 1)])
    assert read(folder) == ([b"kept", b"next"], [])


def test_two_processes_cannot_write_to_one_folder(tmp_path: Path):
    Writer(tmp_path / "a")
    with pytest.raises(BlockingIOError):
        Writer(tmp_path / "a")


def test_a_copy_holds_what_is_not_taken_over(tmp_path: Path):
    data = tmp_path / "data"
    ends = filled(data / "spool" / "00000001")
    Spool(data / "spool" / "00000001").take(ends[0])
    spool.copy(data, tmp_path / "copy")
    (folder,) = spool.folders(tmp_path / "copy")
    assert read(folder, Spool(folder).taken())[0] == TEXTS[1:]
