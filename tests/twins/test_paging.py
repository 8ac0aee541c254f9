from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.errors import InvalidInput
from gemel.twins.paging import LARGEST_SIZE, page, write_token


@given(st.sets(st.text(max_size=6), max_size=40), st.integers(1, 12))
def test_pages_together_are_the_sorted_list(keys: set[str], size: int) -> None:
    found: list[str] = []
    token = None
    while True:
        one = page(keys, token, size)
        assert len(one.keys) <= size
        found += one.keys
        if one.token is None:
            break
        assert len(one.keys) == size
        token = one.token
    assert found == sorted(keys)


def test_a_token_stays_good_when_its_key_is_deleted_and_others_come() -> None:
    keys = {"a", "b", "c", "d"}
    first = page(keys, None, 2)
    keys -= {"b"}
    keys |= {"aa", "cc"}
    assert page(keys, first.token, 10).keys == ["c", "cc", "d"]


def test_pages_are_never_larger_than_the_limit() -> None:
    keys = [f"{n:05}" for n in range(LARGEST_SIZE + 5)]
    assert len(page(keys, None, 10**9).keys) == LARGEST_SIZE
    assert page([], None, 5) == ([], None)


@pytest.mark.parametrize("token", ["x", "é", "!!!!", "AAAA", "W10", "WzFd", write_token("a") + "A"])
def test_a_foreign_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidInput, match="continuation token"):
        page(["a"], token)
