"""Large JSON is packed for who takes it, and says the same."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest

from app.inside import Inside, inside
from gemel.api.packing import takes_gzip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("packing") / "data") as found:
        found.pumps(*(f"pump-{n:03}" for n in range(60)))
        yield found


def test_a_page_of_twins_is_packed_and_says_the_same(server: Inside) -> None:
    with server.http.stream("GET", "/twins", headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    plain = server.http.get("/twins", headers={"Accept-Encoding": "identity"})
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) == len(raw)
    assert "content-encoding" not in plain.headers
    assert answer.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert len(raw) * 5 < len(plain.content)
    assert len(gzip.decompress(raw)) == pytest.approx(len(plain.content), abs=2_000)  # ages differ


def test_small_answers_and_other_types_are_left_alone(server: Inside) -> None:
    for path in ("/me", "/metrics", "/docs"):
        answer = server.http.get(path, headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("", False),
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("identity", False),
        ("x-gzipped", False),
    ],
)
def test_what_is_taken_is_what_is_said(header: str, takes: bool) -> None:
    assert takes_gzip(header) == takes
