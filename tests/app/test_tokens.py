"""Tokens: stored as hashes alone, valid for a time, seen ended soon."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemel.app import tokens
from gemel.app.tokens import Tokens, create
from gemel.backends.sqlite import SqliteDocuments
from gemel.core.access import ROLES, Principal
from gemel.core.clock import FakeClock
from gemel.core.errors import InvalidInput, NotFound


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def documents(tmp_path: Path):
    found = SqliteDocuments(tmp_path / "gemel.sqlite")
    yield found
    found.close()


@pytest.fixture
def book(documents: SqliteDocuments, clock: FakeClock) -> Tokens:
    return Tokens(documents, clock)


def make(documents, clock, role="viewer", **more) -> str:
    return create(documents, clock(), role=role, name="n", who="w", **more).secret


def test_the_secret_is_nowhere_in_the_folder(documents, clock, book, tmp_path: Path) -> None:
    secrets = [make(documents, clock) for _ in range(3)]
    assert all(book.principal(secret) for secret in secrets)
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for secret in secrets:
        assert secret.encode() not in stored
        assert secret.removeprefix("gml_").encode() not in stored
        assert tokens.digest(secret).encode() in stored
    assert not any(secret in str(book.listing()) for secret in secrets)
    assert not any(tokens.digest(secret) in str(book.listing()) for secret in secrets)


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_token_stands_for_its_role_name_and_twins(role: str, documents, clock, book) -> None:
    secret = make(documents, clock, role, twins=("a", "line-*"))
    assert book.principal(secret) == Principal("n", role, ("a", "line-*"))


def test_what_is_no_role_or_a_device_of_nothing_is_refused(documents, clock) -> None:
    with pytest.raises(InvalidInput, match="no role 'root'"):
        make(documents, clock, "root")
    with pytest.raises(InvalidInput, match="must name the twins"):
        make(documents, clock, "device")


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf"), 1e30])
def test_a_time_that_is_none_is_refused(seconds: float, documents, clock) -> None:
    with pytest.raises(InvalidInput, match="valid for more than no time"):
        make(documents, clock, seconds=seconds)


def test_a_token_ends_at_its_time(documents, clock, book) -> None:
    secret = make(documents, clock, seconds=60)
    clock.advance(59.9)
    assert book.principal(secret)
    assert len(book.listing()) == 1
    clock.advance(0.1)
    assert book.principal(secret) is None
    assert book.listing() == []
    book.sweep()
    assert list(documents.load("token")) == []


@pytest.mark.parametrize(
    "secret", ["", "gml_", "gml_nothing", "x", "gml_" + "a" * 500, "gml_\ud800"]
)
def test_what_is_no_token_stands_for_nobody(secret: str, book) -> None:
    assert book.principal(secret) is None
    assert book.take_link(secret) is None


def test_a_token_made_or_ended_by_another_process_is_seen_soon(documents, clock, tmp_path) -> None:
    server = Tokens(documents, clock)
    other = SqliteDocuments(tmp_path / "gemel.sqlite")
    try:
        secret = make(other, clock)
        assert server.principal(secret)
        Tokens(other, clock).delete(tokens.digest(secret)[:12], "w")
        assert server.principal(secret)  # for as long as it is remembered
        server.forget(server.edited())
        assert server.principal(secret) is None
        assert server.edited() == set()
    finally:
        other.close()


def test_ended_here_is_ended_at_once(documents, clock, book) -> None:
    secret = make(documents, clock)
    assert book.principal(secret)
    book.delete(book.listing()[0]["id"], "w")
    assert book.principal(secret) is None
    with pytest.raises(NotFound):
        book.delete("none", "w")


def test_a_link_works_once_and_not_as_a_token(documents, clock, book) -> None:
    secret = make(documents, clock, use="link", seconds=60)
    assert book.principal(secret) is None
    assert book.take_link(secret) == Principal("n", "viewer")
    assert book.take_link(secret) is None
    late = make(documents, clock, use="link", seconds=60)
    clock.advance(60)
    assert book.take_link(late) is None
    assert book.take_link(make(documents, clock)) is None  # a token is no link


def test_a_session_ends_with_the_token_it_was_begun_with(documents, clock, book) -> None:
    secret = make(documents, clock, seconds=100)
    who = book.principal(secret)
    session = book.begin_session(who, secret).secret
    assert book.principal(session, ("session",)) == who
    assert book.principal(session) is None  # it is no bearer token
    clock.advance(100)
    assert book.principal(session, ("session",)) is None

    lasting = make(documents, clock)
    session = book.begin_session(book.principal(lasting), lasting).secret
    assert book.principal(session, ("session",))
    book.delete(tokens.digest(lasting)[:12], "w")
    assert book.principal(session, ("session",)) is None


def test_a_session_ends_when_its_person_leaves_or_after_its_time(documents, clock, book) -> None:
    one, other = (book.begin_session(Principal("ann", "admin")).secret for _ in range(2))
    book.end_session(one)
    assert book.principal(one, ("session",)) is None
    clock.advance(tokens.SESSION_SECONDS)
    assert book.principal(other, ("session",)) is None


def test_a_flood_of_guesses_does_not_grow_the_memory(book, monkeypatch) -> None:
    monkeypatch.setattr(tokens, "CACHE_SIZE", 100)
    for number in range(1_000):
        assert book.principal(f"gml_{number}") is None
    assert len(book._cache) <= 100
