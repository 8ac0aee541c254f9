"""The reader against the official parser, on models that neither was written for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import agreement


@pytest.fixture(scope="module")
def reference() -> Iterator[agreement.Reference]:
    folder, why_not = agreement.reference()
    if folder is None:
        pytest.skip(why_not)
    with agreement.Reference(folder) as found:
        yield found


@pytest.mark.peer
@pytest.mark.parametrize("version", [2, 3, 4])
def test_changed_models_are_answered_as_the_reference_answers_them(
    reference: agreement.Reference, version: int
) -> None:
    found = agreement.compare(reference, 20_261, version, agreement.bases(version), 150)
    counts = found.counts
    print(dict(counts), *found.wrong[:5], sep="\n")
    assert counts["valid"] >= 10
    assert counts["invalid"] >= 50
    total = counts["valid"] + counts["invalid"]
    assert counts["valid right"] + counts["invalid right"] >= 0.99 * total
    assert counts["an id"] >= 0.9 * counts["refused by both"]
