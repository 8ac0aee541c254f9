"""Files of numbers: what is wrong with one is said with file and line."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from studies._tables import Table, matrix_of, object_of, text_of

from studies import NotThere, StudyError


def file(tmp_path: Path, text: str, name: str = "some.csv") -> Path:
    found = tmp_path / name
    found.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return found


@pytest.mark.parametrize("name", ["some.csv", "some.csv.gz"])
def test_columns_are_found_by_how_their_names_begin(tmp_path: Path, name: str) -> None:
    table = Table(file(tmp_path, "time,Load [kW],mode\n0,1.5,a\n1,,b\n", name))
    assert table.column("time").tolist() == [0, 1]
    assert table.column("Load", empty=0.0).tolist() == [1.5, 0]
    assert table.block([0]).tolist() == [[0], [1]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no rows"),
        ("a,b\n", "has no rows"),
        ("a,b\n1,2\n3\n", "line 3: 1 cells, not 2"),
        ("a,b\n1,2\n3,x\n", "line 3: 'x' is not a finite number"),
        ("a,b\n1,NaN\n", "line 2: 'NaN' is not a finite number"),
        ("a,b\n1,\n", "line 2: '' is not a finite number"),
        ("a,c\n1,2\n", "has no column 'b'; it has: a, c"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(StudyError, match=r"some\.csv") as caught:
        Table(file(tmp_path, text)).column("b")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "has no rows"), ("1 2\n3\n", "line 2: 1 cells, not 2"), ("1 inf\n", "line 1: 'inf'")],
)
def test_what_is_wrong_with_a_matrix_is_said(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(StudyError) as caught:
        matrix_of(file(tmp_path, text))
    assert words in str(caught.value)
    assert np.array_equal(matrix_of(file(tmp_path, "1 2\n3 4\n")), [[1, 2], [3, 4]])


def test_what_is_missing_or_damaged_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotThere, match="is missing"):
        text_of(tmp_path / "none.csv")
    torn = tmp_path / "torn.csv.gz"
    torn.write_bytes(gzip.compress(b"a,b\n1,2\n")[:-9])
    with pytest.raises(StudyError, match="cannot be read"):
        text_of(torn)
    for text, words in (("", "no JSON"), ("[]", "no JSON object")):
        with pytest.raises(StudyError, match=words):
            object_of(file(tmp_path, text))
