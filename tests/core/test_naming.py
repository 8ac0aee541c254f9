"""Names in the order in which people count; the page is held to the same lists."""

from __future__ import annotations

import json
import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gemel.core.naming import natural

LISTS: list[list[str]] = json.loads(Path(__file__).with_name("naming.json").read_text("utf-8"))


def test_names_are_sorted_as_people_count() -> None:
    for names in LISTS:
        mixed = names[:]
        random.Random(1).shuffle(mixed)
        assert sorted(mixed, key=natural) == names


@given(st.text("ab ", max_size=3), st.integers(0, 10**30), st.integers(0, 10**30))
def test_numbers_count_by_size_however_long(text: str, one: int, other: int) -> None:
    assert (natural(f"{text}{one}") < natural(f"{text}{other}")) == (one < other)
    assert natural(f"{text}00{one}") == natural(f"{text}{one}")
