"""Hashes of edits are what docs/formats/audit.md says."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gemel.core import chain

texts = st.text(max_size=90)
docs = st.one_of(st.none(), st.binary(max_size=300))
times = st.integers(-(2**63), 2**63 - 1)
rows = st.tuples(texts, texts, docs, times, texts, texts, texts)
CONTROLS = "".join(map(chr, range(0x30))) + '"\\\x7f\u2028é€\U0001f600'
ODD = ("twin", "\ud800", b"{}", 0, "ann", "", "")


def one_by_one(before: bytes, seq: int, found: list[chain.Link]) -> list[bytes]:
    """As docs/formats/audit.md says it."""
    made = []
    for number, (kind, key, doc, *rest) in enumerate(found, seq + 1):
        digest = None if doc is None else sha256(doc).hexdigest()
        row = json.dumps(
            [number, kind, key, digest, *rest], separators=(",", ":"), ensure_ascii=False
        )
        before = sha256(before + row.encode()).digest()
        made.append(before)
    return made


@given(st.lists(rows, max_size=8), st.integers(0, 2**40))
@example([("twin", CONTROLS, b"", 1, "a", "b", "c")], 0)
@example([("twin", "a", bytes(size), 1, "a", "b", "c") for size in range(130)], 7)
def test_hashes_are_those_of_the_format(found: list[chain.Link], seq: int) -> None:
    assert chain.links(chain.BEGIN, seq, found) == one_by_one(chain.BEGIN, seq, found)


def test_no_edits_have_no_hashes() -> None:
    assert chain.links(chain.BEGIN, 3, []) == []


def test_a_text_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError):
        chain.links(chain.BEGIN, 0, [ODD])
