from __future__ import annotations

from pathlib import Path

import pytest

from gemel.core.errors import ConfigInvalid, InvalidInput, NotFound
from gemel.load.ledger import LedgerWriter, read_ledger
from gemel.load.plan import Plan

PLAN = Plan(4, 2, 3, 1_763_799_000_000_000, 1_000)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path / "ledger")
    writer.begin(PLAN)
    writer.add([(0, 0, 3), (1, 0, 2)])
    writer.add([(0, 3, 2), (1, 5, 1)])
    writer.close()
    found = read_ledger(tmp_path / "ledger")
    assert found.plan == PLAN
    assert found.acknowledged[0].tolist() == [0, 1, 2, 3, 4]
    assert found.acknowledged[1].tolist() == [0, 1, 5]
    assert found.messages == 8


def test_a_ledger_cut_at_any_byte_says_no_more_than_before(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    writer = LedgerWriter(path)
    writer.begin(PLAN)
    writer.add([(0, 0, 12), (0, 12, 34), (1, 0, 56)])
    writer.close()
    whole = path.read_bytes()
    for end in range(whole.index(b"\n") + 1, len(whole)):
        path.write_bytes(whole[:end])
        found = read_ledger(path)
        assert found.messages == sum(
            int(line.split()[2]) for line in whole[:end].split(b"\n")[1:-1]
        )


def test_a_second_run_does_not_write_into_the_ledger_of_the_first(tmp_path: Path) -> None:
    LedgerWriter(tmp_path / "ledger").close()
    with pytest.raises(ConfigInvalid, match="exists already"):
        LedgerWriter(tmp_path / "ledger")


@pytest.mark.parametrize("data", [b"", b"[]\n", b'{"a": 1}\n', b'{"ledger": 2}\n'])
def test_what_is_no_ledger_is_said_to_be_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "ledger"
    with pytest.raises(NotFound):
        read_ledger(path)
    path.write_bytes(data)
    with pytest.raises(InvalidInput):
        read_ledger(path)
