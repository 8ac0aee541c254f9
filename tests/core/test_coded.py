"""A coded column is rebuilt within its bound, whatever it holds; damage is told."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.coded import HEAD, MARK, MOST_ROWS, SUM, coded, decoded
from gemel.core.errors import InvalidInput
from gemel.core.reduction import swinging_door

values = st.lists(st.floats(-1e6, 1e6), max_size=200)


@given(values, st.floats(1e-4, 1e5))
@settings(max_examples=150, deadline=None)
def test_each_value_is_rebuilt_within_the_bound(found: list[float], bound: float) -> None:
    value = np.array(found)
    again = decoded(coded(value, bound))
    assert len(again) == len(value)
    assert (np.abs(again - value) <= bound * (1 + 1e-9) + 1e-9 * np.abs(value)).all()


def walk(count: int = 2_000) -> np.ndarray:
    random = np.random.default_rng(3)
    return 20 + np.cumsum(random.normal(0, 0.02, count)) + random.normal(0, 0.1, count)


WHOLE = coded(walk(200), 0.1)


@pytest.mark.parametrize("bound", [0.02, 0.15])
def test_it_takes_fewer_bytes_than_a_door_with_a_fine_grid(bound: float) -> None:
    value = walk()
    rows = swinging_door(np.arange(len(value)), value, bound * 7 / 8)
    steps = np.diff(np.rint(value[rows] / (bound / 4)).astype(np.int16), prepend=np.int16(0))
    finer = len(zlib.compress(np.diff(rows).astype(np.int16).tobytes(), 9))
    finer += len(zlib.compress(steps.tobytes(), 9))
    assert len(coded(value, bound)) < finer + 40


def test_a_larger_bound_takes_fewer_bytes_and_a_line_next_to_none() -> None:
    sizes = [len(coded(walk(), bound)) for bound in (0.01, 0.1, 1.0)]
    assert sizes[0] > 1.5 * sizes[1] > 3 * sizes[2]
    assert len(coded(np.linspace(0, 1, 20_000), 0.001)) < 100


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_bit_that_is_another_is_told(data: st.DataObject) -> None:
    whole = bytearray(WHOLE)
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(InvalidInput):
        decoded(bytes(whole))


@given(st.integers(0, 200))
@settings(max_examples=50, deadline=None)
def test_bytes_that_are_cut_are_told(length: int) -> None:
    with pytest.raises(InvalidInput):
        decoded(WHOLE[: min(length, len(WHOLE) - 1)])


def joined(count: int, gaps: list[int]) -> bytes:
    """Bytes with any gaps, as `coded` lays them; all steps are 0."""
    planes = np.array(gaps, "<i4").view(np.uint8).reshape(-1, 4).T
    parts = [zlib.compress(each, 9, wbits=-15) for each in (planes.tobytes(), bytes(len(gaps)))]
    body = HEAD.pack(MARK, 1.0, 5, count, 4, 1, len(parts[0])) + b"".join(parts)
    return body + SUM.pack(zlib.crc32(body))


def test_bytes_may_be_made_by_hand() -> None:
    assert decoded(joined(3, [2, 1])).tolist() == [5.0] * 4


@pytest.mark.parametrize(
    ("count", "gaps", "says"),
    [
        (2, [0], "out of order"),
        (2, [-1], "out of order"),
        (3, [1], "has not 3 ends"),
        (2**31, [1], "at most"),
        (2, [MOST_ROWS], "out of order"),
        (3, [MOST_ROWS - 1, MOST_ROWS - 1], "values"),
    ],
)
def test_bytes_that_were_never_coded_make_no_column(count: int, gaps: list[int], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        decoded(joined(count, gaps))


@pytest.mark.parametrize(
    ("value", "bound", "says"),
    [
        ([1.0], 0.0, "bound: 0"),
        ([1.0], np.nan, "bound: nan"),
        ([np.inf], 1.0, "finite"),
        ([1e30, 1.0], 1e-6, "nothing beside"),
    ],
)
def test_what_cannot_be_coded_is_refused(value: list[float], bound: float, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        coded(np.array(value), bound)
