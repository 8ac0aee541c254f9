"""Series keys: provenances, their labels, and the paths of quantiles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.errors import InvalidInput
from gemel.core.series import (
    SeriesTable,
    check_provenance,
    is_revised,
    is_supposed,
    quantile_of,
    quantile_path,
)


@pytest.mark.parametrize("text", ["measured", "derived", "predicted:a.b-c_1", "simulated:2-pumps"])
def test_provenance_is_a_word_and_perhaps_a_label(text: str) -> None:
    assert check_provenance(text) == text


@pytest.mark.parametrize(
    "text", ["", "guessed", "measured:x", "derived:", "predicted:a b", "simulated:" + "x" * 65]
)
def test_what_is_no_provenance_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="provenance"):
        check_provenance(text)


def test_only_measured_values_are_never_revised_and_only_guesses_are_supposed() -> None:
    assert [is_revised(p) for p in ("measured", "derived", "predicted:x", "unknown")] == [
        False, True, True, False,
    ]  # fmt: skip
    assert [is_supposed(p) for p in ("measured", "derived:x", "predicted:x", "simulated")] == [
        False, False, True, True,
    ]  # fmt: skip


@given(st.integers(1, 99_999))
def test_path_of_a_quantile_tells_property_and_level(level: int) -> None:
    assert quantile_of(quantile_path("a.b", level / 100_000)) == ("a.b", level / 100_000)


@pytest.mark.parametrize("path", ["flow", "@q0.5", "flow@q", "flow@q1", "flow@q0.50", "flow@qnan"])
def test_other_paths_are_no_quantiles(path: str) -> None:
    assert quantile_of(path) is None


def test_series_of_different_provenance_are_different_series() -> None:
    table = SeriesTable()
    numbers = [table.id("p", "flow", w) for w in ("measured", "predicted", "predicted:b")]
    assert numbers == [0, 1, 2]
    assert table.revised == {1, 2}
