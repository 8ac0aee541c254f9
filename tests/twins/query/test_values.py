from __future__ import annotations

import pytest

from gemel.twins.query.values import UNDEFINED, compare


@pytest.mark.parametrize("one", [None, True, 1, "1", {"a": 1}, [1], UNDEFINED])
@pytest.mark.parametrize("other", [None, False, 2.0, "2", {"b": 1}, [2]])
def test_what_is_of_another_type_is_neither_equal_nor_unequal(one: object, other: object) -> None:
    are_alike = type(one) is type(other) or {type(one), type(other)} == {int, float}
    expected = (False, True) if are_alike and one is not None else (None, None)
    if one is None and other is None:
        expected = (True, False)
    assert (compare("=", one, other), compare("!=", one, other)) == expected
