"""One suite for every implementation of the port `Objects`: a folder, S3, Azure Blob Storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemel.app.objects import opened
from gemel.backends.object_buckets import PART
from gemel.core.clock import SECOND, system_clock
from gemel.core.errors import Conflict, InvalidInput, NotFound
from gemel.core.ports import Objects
from object_stores import Store, entered

NUMBERS = count()


@pytest.fixture(
    params=[
        "folder",
        pytest.param("s3", marks=pytest.mark.peer),
        pytest.param("azure", marks=pytest.mark.peer),
    ]
)
def objects(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Objects:
    """A place of its own."""
    if request.param == "folder":
        return opened(str(tmp_path))
    store: Store = request.getfixturevalue(f"{request.param}_store")
    entered(monkeypatch, store.environment)
    return opened(f"{store.address}/contract/{next(NUMBERS)}")


def content(objects: Objects, name: str) -> bytes:
    return b"".join(objects.get(name))


def names(objects: Objects, folder: str) -> list[str]:
    return sorted(one.name for one in objects.list(folder))


@pytest.mark.parametrize("pieces", [[], [b""], [b"a"], [b"ab", b"", b"c" * 100_000]])
def test_what_is_put_is_got_back(objects: Objects, pieces: list[bytes]) -> None:
    assert objects.put("a/b", pieces) == len(b"".join(pieces))
    assert content(objects, "a/b") == b"".join(pieces)


def test_a_large_object_goes_in_parts_and_comes_back_whole(objects: Objects) -> None:
    pieces = [bytes([n]) * (PART // 4) for n in range(9)]
    assert objects.put("large", iter(pieces)) == 9 * PART // 4
    assert content(objects, "large") == b"".join(pieces)
    [facts] = objects.list("")
    assert facts.bytes == 9 * PART // 4


@pytest.mark.parametrize("size", [10, PART])
def test_nothing_is_stored_where_its_source_ends_badly(objects: Objects, size: int) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"x" * size
        yield b"y" * size
        raise InvalidInput("the source is at its end")

    with pytest.raises(InvalidInput, match="the source is at its end"):
        objects.put("a/half", pieces())
    assert names(objects, "a") == []


def test_an_object_is_replaced_unless_it_is_to_stay(objects: Objects) -> None:
    objects.put("a", [b"first"])
    objects.put("a", [b"second"])
    for again in ([b"third"], [b"z" * PART, b"z"]):
        with pytest.raises(Conflict, match="/a"):
            objects.put("a", again, replace=False)
    assert content(objects, "a") == b"second"
    objects.put("b", [b"new"], replace=False)
    assert content(objects, "b") == b"new"


def test_objects_are_listed_below_a_folder_with_size_and_time(objects: Objects) -> None:
    before = system_clock()
    for name in ("a/1", "a/b/2", "ab/3", "c"):
        objects.put(name, [name.encode()])
    found = {one.name: one for one in objects.list("a")}
    assert {name: one.bytes for name, one in found.items()} == {"a/1": 3, "a/b/2": 5}
    for one in found.values():
        assert before - 2 * SECOND < one.modified < system_clock() + 2 * SECOND
    assert names(objects, "") == ["a/1", "a/b/2", "ab/3", "c"]
    assert names(objects, "nothing") == []


def test_what_is_deleted_is_gone_and_what_is_not_there_is_no_error(objects: Objects) -> None:
    for name in ("a/1", "a/2", "a/3"):
        objects.put(name, [b"x"])
    objects.delete(name for name in ("a/1", "a/none", "a/3"))
    assert names(objects, "a") == ["a/2"]
    objects.delete([])
    objects.delete(["a/none"])


def test_what_is_not_there_is_said_with_its_place(objects: Objects) -> None:
    with pytest.raises(NotFound) as caught:
        content(objects, "a/none")
    assert f"{objects.place}/a/none" in str(caught.value)


def test_calls_come_from_many_threads(objects: Objects) -> None:
    with ThreadPoolExecutor(8) as pool:
        put: Callable[[int], int] = lambda n: objects.put(f"t/{n}", [b"%d" % n])  # noqa: E731
        list(pool.map(put, range(24)))
        found = list(pool.map(lambda n: content(objects, f"t/{n}"), range(24)))
    assert found == [b"%d" % n for n in range(24)]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text("aZ09 -_.+=&'()üß日", min_size=1, max_size=40).filter(lambda n: n.strip(". ") == n))
def test_names_come_back_as_they_were(objects: Objects, name: str) -> None:
    objects.put(f"n/{name}", [name.encode()])
    assert names(objects, "n") == [f"n/{name}"]
    assert content(objects, f"n/{name}") == name.encode()
    objects.delete([f"n/{name}"])
    assert names(objects, "n") == []


@pytest.mark.parametrize("name", ["", "/a", "a/../b", "../a"])
def test_a_name_leads_nowhere_else(objects: Objects, name: str) -> None:
    with pytest.raises((InvalidInput, NotFound)):
        objects.put(name, [b"x"])
