"""Photos and notes over HTTP: sent twice they are one; bytes are what they are said to be."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inside import Inside, inside
from gemel.app.attachments import MOST_IMAGE_BYTES, TYPES, check
from gemel.core.errors import GemelError

JPEG = b"\xff\xd8\xff\xe0" + b"picture" * 20
SAMPLES = {
    "image/jpeg": JPEG,
    "image/png": b"\x89PNG\r\n\x1a\n" + b"x" * 50,
    "image/webp": b"RIFF\x00\x00\x00\x00WEBP" + b"x" * 50,
    "text/plain": "Lager heiß".encode(),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("attachments") / "data") as found:
        found.pumps("pump-1", "pump-2")
        yield found


def put(server: Inside, content: bytes, kind: str, key: str = "", **about: str) -> httpx.Response:
    key = key or str(uuid.uuid4())
    headers = {"Content-Type": kind}
    return server.http.put(f"/attachments/{key}", content=content, headers=headers, params=about)


@pytest.mark.parametrize("kind", SAMPLES)
def test_each_type_comes_back_as_it_was_sent(server: Inside, kind: str) -> None:
    answer = put(server, SAMPLES[kind], kind, twin="pump-1", caption="seal")
    assert answer.status_code == 201
    doc = answer.json()
    assert (doc["twin"], doc["caption"], doc["bytes"]) == ("pump-1", "seal", len(SAMPLES[kind]))
    assert doc["text"] == ("Lager heiß" if kind == "text/plain" else None)
    back = server.http.get(f"/attachments/{doc['id']}")
    assert back.content == SAMPLES[kind]
    assert back.headers["content-type"].startswith(kind)
    assert back.headers["x-content-type-options"] == "nosniff"


def test_sent_twice_it_is_one_and_another_under_its_id_is_refused(server: Inside) -> None:
    key = str(uuid.uuid4())
    first = put(server, JPEG, "image/jpeg", key, twin="pump-2")
    again = put(server, JPEG, "image/jpeg", key, twin="pump-2")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    every = server.ask("GET", "/attachments", twin="pump-2")["value"]
    assert [one["id"] for one in every].count(key) == 1
    other = put(server, JPEG + b"!", "image/jpeg", key, twin="pump-2")
    assert other.status_code == 409
    assert server.http.delete(f"/attachments/{key}").status_code == 204
    assert server.http.get(f"/attachments/{key}").status_code == 404


def test_one_of_an_order_is_one_of_its_twin(server: Inside) -> None:
    order = server.ask("POST", "/work-orders", {"twin": "pump-2", "title": "Seal"})["id"]
    doc = put(server, JPEG, "image/jpeg", order=order).json()
    assert (doc["twin"], doc["order"]) == ("pump-2", order)
    assert [one["id"] for one in server.ask("GET", "/attachments", order=order)["value"]] == [
        doc["id"]
    ]
    assert put(server, JPEG, "image/jpeg", order=order, twin="pump-1").status_code == 400


@pytest.mark.parametrize(
    ("content", "kind", "about", "status", "says"),
    [
        (b"<script>", "image/jpeg", {"twin": "pump-1"}, 400, "no image/jpeg"),
        (JPEG, "image/png", {"twin": "pump-1"}, 400, "no image/png"),
        (b"<svg/>", "image/svg+xml", {"twin": "pump-1"}, 400, "is not taken"),
        (b"<b>", "text/html", {"twin": "pump-1"}, 400, "is not taken"),
        (b"  ", "text/plain", {"twin": "pump-1"}, 400, "no text/plain"),
        (b"\xff\xfe", "text/plain", {"twin": "pump-1"}, 400, "no text/plain"),
        (b"x" * 10_001, "text/plain", {"twin": "pump-1"}, 413, "more than"),
        (JPEG + b"x" * MOST_IMAGE_BYTES, "image/jpeg", {"twin": "pump-1"}, 413, "larger than"),
        (JPEG, "image/jpeg", {}, 400, "belongs to no"),
        (JPEG, "image/jpeg", {"twin": "nobody"}, 404, "nobody"),
        (JPEG, "image/jpeg", {"order": "w-none"}, 404, "w-none"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_words(
    server: Inside, content: bytes, kind: str, about: dict[str, str], status: int, says: str
) -> None:
    answer = put(server, content, kind, **about)
    assert (answer.status_code, says in answer.text) == (status, True), answer.text


def test_an_id_that_is_no_uuid_never_names_a_file(server: Inside) -> None:
    for key in ("..%2Fkey", "x", str(uuid.uuid4()).upper()):
        answer = server.http.put(
            f"/attachments/{key}?twin=pump-1", content=JPEG, headers={"Content-Type": "image/jpeg"}
        )
        assert answer.status_code in (400, 404)


@given(st.binary(max_size=200), st.sampled_from(sorted(TYPES)))
def test_bytes_are_of_at_most_one_type(content: bytes, kind: str) -> None:
    def fits(one: str) -> bool:
        try:
            check(one, content)
        except GemelError:
            return False
        return True

    if fits(kind):
        assert [one for one in TYPES if fits(one)] == [kind]


def test_they_outlive_a_restart_and_are_in_a_backup(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.pumps("pump-1")
        key = put(server, JPEG, "image/jpeg", twin="pump-1").json()["id"]
        server.ask("POST", "/backup", {"name": "one"})
        copy = tmp_path / "data" / "backups" / "one" / "attachments" / key
        assert copy.read_bytes() == JPEG
    with inside(tmp_path / "data") as server:
        assert server.http.get(f"/attachments/{key}").content == JPEG


def test_a_checklist_is_ticked_and_ticked_again_is_the_same(server: Inside) -> None:
    body = {"twin": "pump-1", "title": "Check", "checklist": ["lock it out", "grease"]}
    order = server.ask("POST", "/work-orders", body)
    path = f"/work-orders/{order['id']}"
    tick = {"check": {"item": "grease", "done": True}}
    once = server.ask("PATCH", path, tick)
    twice = server.ask("PATCH", path, tick)
    assert [one["done"] is not None for one in once["checklist"]] == [False, True]
    assert once == twice
    more = server.ask("PATCH", path, {"checklist": ["grease", "sign"]})
    assert [(one["item"], one["done"] is not None) for one in more["checklist"]] == [
        ("grease", True),
        ("sign", False),
    ]
    for wrong, status in (
        ({"check": {"item": "paint", "done": True}}, 404),
        ({"check": {"item": "grease", "done": "yes"}}, 400),
        ({"checklist": ["a", "a"]}, 400),
        ({"checklist": [""]}, 400),
    ):
        assert server.http.patch(path, json=wrong).status_code == status
