"""Sums beside files: what they find, what they leave alone, and what changes under a look."""

from __future__ import annotations

import json
import random
import threading
from pathlib import Path
from zlib import crc32

import pytest

from gemel.app import sums
from gemel.core.errors import Damaged


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "plant.log"
    found.write_bytes(b"first\nsecond\n")
    sums.seal(found)
    return found


def test_a_sum_is_json_that_anybody_can_compute(file: Path) -> None:
    doc = json.loads((file.parent / ".plant.log.sum").read_bytes())
    assert doc == {"bytes": 13, "crc32": crc32(b"first\nsecond\n")}
    assert sums.fault(file) == ""
    assert list(sums.of(file.parent)) == [file]


def test_every_flipped_bit_of_a_file_or_its_sum_is_found(file: Path) -> None:
    for path in (file, sums.place(file)):
        whole = path.read_bytes()
        for bit in range(8 * len(whole)):
            data = bytearray(whole)
            data[bit // 8] ^= 1 << bit % 8
            path.write_bytes(data)
            with pytest.raises(Damaged, match=r"plant\.log"):
                sums.verify(file)
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            with pytest.raises(Damaged, match=r"plant\.log"):
                sums.verify(file)
        path.write_bytes(whole)
    sums.verify(file)


def test_what_grew_since_has_no_sum_until_it_is_sealed(file: Path) -> None:
    with file.open("ab") as log:
        log.write(b"third\n")
    assert (sums.fault(file), sums.unsummed(file)) == ("", 6)
    sums.seal(file)
    assert (sums.fault(file), sums.unsummed(file)) == ("", 0)
    assert sums.read(file) == sums.Sum(19, crc32(b"first\nsecond\nthird\n"))


def test_damage_stays_damage_when_a_file_grows_and_is_sealed(file: Path) -> None:
    file.write_bytes(b"fjrst\nsecond\nthird\n")
    sums.seal(file)
    assert sums.fault(file) == "is not what was stored (CRC-32)"
    file.write_bytes(b"first")
    sums.seal(file)
    assert sums.fault(file) == "ends after 5 bytes; it had 19"
    file.unlink()
    assert sums.fault(file) == "is missing"


def test_a_file_of_before_there_were_sums_is_served_and_gets_one(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_bytes(b"what it held")
    sums.verify(old)
    assert list(sums.of(tmp_path)) == []
    sums.seal(old)
    assert sums.read(old) == sums.Sum(12, crc32(b"what it held"))


def test_a_copy_has_the_sum_of_what_was_copied(file: Path, tmp_path: Path) -> None:
    with file.open("ab") as log:
        log.write(b"third\n")
    other = tmp_path / "other" / "plant.log"
    other.parent.mkdir()
    sums.copy(file, other)
    assert (sums.fault(other), sums.unsummed(other)) == ("", 6)


def test_a_look_while_files_are_replaced_finds_no_damage(file: Path, tmp_path: Path) -> None:
    """As `Blobs` replaces them: without a sum while the file is neither old nor new."""
    chance, is_over = random.Random(3), threading.Event()

    def replace() -> None:
        for _ in range(300):
            content = b"x" * chance.randrange(100_000)
            part = file.with_suffix(".part")
            part.write_bytes(content)
            sums.forget(file)
            part.replace(file)
            sums.write(file, sums.Sum(len(content), crc32(content)))
        is_over.set()

    writer = threading.Thread(target=replace)
    writer.start()
    looks = 0
    while not is_over.is_set():
        assert sums.fault(file) == ""
        sums.copy(file, tmp_path / "copy")
        assert sums.fault(tmp_path / "copy") == ""
        looks += 1
    writer.join()
    assert looks
