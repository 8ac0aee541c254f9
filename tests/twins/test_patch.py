from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.errors import InvalidInput
from gemel.twins.patch import (
    LIMIT,
    Operation,
    apply_operation,
    read_patch,
    read_pointer,
    write_pointer,
)


def patched(doc: dict, *operations: dict) -> dict:
    result = copy.deepcopy(doc)
    for operation in read_patch(operations):
        apply_operation(result, operation)
    return result


@pytest.mark.parametrize(
    ("doc", "operation", "expected"),
    [
        ({}, {"op": "add", "path": "/a", "value": 1}, {"a": 1}),
        ({"a": 1}, {"op": "add", "path": "/a", "value": None}, {"a": None}),
        ({"a": 1}, {"op": "replace", "path": "/a", "value": 2}, {"a": 2}),
        ({"a": 1, "b": 2}, {"op": "remove", "path": "/a"}, {"b": 2}),
        ({"a": {"b": 1}}, {"op": "replace", "path": "/a/b", "value": 2}, {"a": {"b": 2}}),
        ({"a": [1, 2]}, {"op": "add", "path": "/a/0", "value": 0}, {"a": [0, 1, 2]}),
        ({"a": [1, 2]}, {"op": "add", "path": "/a/-", "value": 3}, {"a": [1, 2, 3]}),
        ({"a": [1, 2]}, {"op": "add", "path": "/a/2", "value": 3}, {"a": [1, 2, 3]}),
        ({"a": [1, 2]}, {"op": "remove", "path": "/a/1"}, {"a": [1]}),
        ({"a": [1, 2]}, {"op": "replace", "path": "/a/1", "value": 9}, {"a": [1, 9]}),
        ({"a": [{"b": 1}]}, {"op": "remove", "path": "/a/0/b"}, {"a": [{}]}),
        ({"x/y": 1}, {"op": "replace", "path": "/x~1y", "value": 2}, {"x/y": 2}),
        ({"x~y": 1}, {"op": "replace", "path": "/x~0y", "value": 2}, {"x~y": 2}),
        ({"~1": 1}, {"op": "replace", "path": "/~01", "value": 2}, {"~1": 2}),
        ({}, {"op": "add", "path": "/", "value": 2}, {"": 2}),
        ({"a": 1}, {"op": "remove", "path": "/a", "value": "not used", "from": "/b"}, {}),
    ],
)
def test_operations_do_what_the_rfc_says(doc: dict, operation: dict, expected: dict) -> None:
    assert patched(doc, operation) == expected


@pytest.mark.parametrize(
    ("doc", "operation", "words"),
    [
        ({}, {"op": "replace", "path": "/a", "value": 1}, "'/a' does not exist"),
        ({}, {"op": "remove", "path": "/a"}, "'/a' does not exist"),
        ({}, {"op": "add", "path": "/a/b", "value": 1}, "'/a' does not exist"),
        ({"a": 1}, {"op": "add", "path": "/a/b", "value": 1}, "holds no other values"),
        ({"a": 1}, {"op": "add", "path": "/a/b/c", "value": 1}, "'/a/b' does not exist"),
        ({"a": [1]}, {"op": "add", "path": "/a/2", "value": 1}, "'2' is not a place"),
        ({"a": [1]}, {"op": "remove", "path": "/a/1"}, "'1' is not a place"),
        ({"a": [1]}, {"op": "remove", "path": "/a/-"}, "'-' is not a place"),
        ({"a": [1]}, {"op": "replace", "path": "/a/00", "value": 1}, "'00' is not a place"),
        ({"a": [1]}, {"op": "replace", "path": "/a/-1", "value": 1}, "'-1' is not a place"),
        ({"a": [1]}, {"op": "replace", "path": "/a/²", "value": 1}, "not a place"),
        ({"a": [1]}, {"op": "replace", "path": "/a/9999999999999", "value": 1}, "not a place"),
        ({}, {"op": "move", "path": "/a", "from": "/b"}, "'op' is 'move'"),
        ({}, {"op": "copy", "path": "/a", "from": "/b"}, "'op' is 'copy'"),
        ({}, {"op": "test", "path": "/a", "value": 1}, "'op' is 'test'"),
        ({}, {"op": 1, "path": "/a"}, "'op' is missing"),
        ({}, {}, "'op' is missing"),
        ({}, {"op": "add", "value": 1}, "'path' is missing"),
        ({}, {"op": "add", "path": "/a"}, "'value' is missing"),
        ({}, {"op": "add", "path": "a", "value": 1}, "does not begin with '/'"),
        ({}, {"op": "add", "path": "", "value": 1}, "does not begin with '/'"),
        ({}, {"op": "add", "path": "/a~2", "value": 1}, "stray '~'"),
        ({}, {"op": "add", "path": "/a~", "value": 1}, "stray '~'"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_place(
    doc: dict, operation: dict, words: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        patched(doc, operation)
    assert words in caught.value.message
    assert caught.value.code == "JsonPatchInvalid"


def test_a_patch_of_too_many_operations_is_refused() -> None:
    one = {"op": "add", "path": "/a", "value": 1}
    assert len(read_patch([one] * LIMIT)) == LIMIT
    with pytest.raises(InvalidInput, match=str(LIMIT + 1)):
        read_patch([one] * (LIMIT + 1))


@given(st.lists(st.text(max_size=5), min_size=1, max_size=4))
def test_pointers_are_read_as_they_are_written(path: list[str]) -> None:
    assert read_pointer(write_pointer(path)) == tuple(path)


JSON = st.recursive(
    st.none() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text("ab", max_size=1), JSON, max_size=3),
    st.sampled_from(["add", "replace", "remove"]),
    st.lists(st.sampled_from(["", "a", "b", "0", "1", "-"]), min_size=1, max_size=4),
    JSON,
)
def test_an_operation_either_works_or_says_that_it_cannot(
    doc: dict, op: str, path: list[str], value: object
) -> None:
    before = copy.deepcopy(doc)
    try:
        apply_operation(doc, Operation(op, tuple(path), value))
    except InvalidInput as error:
        assert error.code == "JsonPatchInvalid"  # noqa: PT017
        assert doc == before
        return
    found: object = doc
    for part in path if op != "remove" else path[:-1]:
        if isinstance(found, list):
            found = found[-1 if part == "-" else int(part)]
        else:
            assert isinstance(found, dict)
            found = found[part]
    if op == "remove":
        assert not isinstance(found, dict) or path[-1] not in found
    else:
        assert found == value
