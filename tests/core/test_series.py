"""Series keys: provenances, their labels, and the paths of quantiles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.errors import InvalidInput
from gemel.core.series import (
    SeriesKey,
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


PATHS = st.sampled_from([f"s{i}" for i in range(6)])
ASKED = st.lists(st.tuples(st.sampled_from("abc"), PATHS, st.sampled_from(["measured", "derived"])))


@given(ASKED)
def test_numbers_and_keys_are_those_of_a_plain_dictionary(
    asked: list[tuple[str, str, str]],
) -> None:
    table, numbers = SeriesTable(), {}
    for key in asked:
        assert table.id(*key) == numbers.setdefault(key, len(numbers))
    every = [SeriesKey(*key) for key in numbers]
    assert list(table.keys) == every == table.keys[:]
    assert [table.find(*key) for key in every] == list(range(len(every)))
    assert table.find("a", "other") is table.find("other", "s0") is None
    for twin in "abcd":
        assert table.of_twin(twin) == [n for n, key in enumerate(every) if key.twin == twin]
    assert [table.twins[i] for i in table.twin_of()] == [key.twin for key in every]
    is_derived = [key.provenance == "derived" for key in every]
    assert table.has_provenance("derived").tolist() == is_derived


def test_device_with_very_many_names_has_them_all() -> None:
    table = SeriesTable()
    numbers = [table.id(twin, f"n{i}") for i in range(1_000) for twin in ("a", "b")]
    assert numbers == list(range(2_000))
    alone = [table.id("c", f"n{i}") for i in range(1_000)]
    assert table.of_twin("c") == alone == [table.find("c", f"n{i}") for i in range(1_000)]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("uvwx"),
            st.lists(st.sampled_from("abcd"), max_size=4).map(tuple),
            st.sampled_from(["measured", "simulated:x"]),
        ),
        max_size=20,
    ),
    st.booleans(),
)
def test_a_block_of_series_is_what_one_by_one_would_be(
    asked: list[tuple[str, tuple[str, ...], str]], is_mixed: bool
) -> None:
    blocks, single = SeriesTable(), SeriesTable()
    for twin, paths, provenance in asked:
        if is_mixed and paths:
            assert blocks.id(twin, paths[-1]) == single.id(twin, paths[-1])
        found = blocks.block(twin, paths, provenance)
        assert list(found) == [single.id(twin, path, provenance) for path in paths]
    assert list(blocks.keys) == list(single.keys)
    assert blocks.revised == single.revised
    assert blocks.twin_of().tolist() == single.twin_of().tolist()
    assert [blocks.of_twin(twin) for twin in "uvwx"] == [single.of_twin(twin) for twin in "uvwx"]
