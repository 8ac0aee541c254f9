from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.inside import PUMP, Inside, inside, until
from gemel.core.errors import Unavailable
from gemel.services.rules import engine


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path / "data") as found:
        found.pumps("pump-1")
        yield found


def test_twins_made_one_by_one_do_not_lay_the_rules_out_each_time(
    server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raised() -> list[str]:
        found = server.ask("GET", "/alarms", state="active")["value"]
        return [alarm["twin"] for alarm in found]

    server.ask("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 80 °C"})
    laid_out = []
    table = engine.Table
    monkeypatch.setattr(engine, "Table", lambda blocks: laid_out.append(1) or table(blocks))
    twin = {"$metadata": {"$model": PUMP}, "bearing": {"$metadata": {}}}
    for number in range(40):
        server.ask("PUT", f"/digitaltwins/new-{number}", twin)
    server.ingest("new-39", temperature=90)
    assert until(raised) == ["new-39"]
    assert 0 < len(laid_out) < 20
    server.ask("DELETE", "/digitaltwins/new-39")
    server.ask("PUT", "/digitaltwins/new-39", twin)
    server.ingest("new-39", temperature=20)
    server.ingest("new-39", temperature=91)
    assert until(raised) == ["new-39"]


def test_a_twin_made_again_raises_while_its_last_value_is_beyond_the_limit(tmp_path: Path) -> None:
    twin = {"$metadata": {"$model": PUMP}, "bearing": {"$metadata": {}}}

    def raised(server: Inside) -> list[dict[str, object]]:
        return list(server.ask("GET", "/alarms", state="active")["value"])

    with inside(tmp_path / "data") as server:
        server.pumps("pump-1")
        server.ask("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 80 °C"})
        server.ingest("pump-1", temperature=90)
        first = until(lambda: raised(server))[0]
        server.ask("DELETE", "/digitaltwins/pump-1")
        assert not raised(server)
        server.ask("PUT", "/digitaltwins/pump-1", twin)
        again = until(lambda: raised(server))
        assert [a["id"] for a in again] == [first["id"]]
        assert again[0]["comments"][-1]["text"] == "the twin was deleted"
        server.ask("DELETE", "/digitaltwins/pump-1")
    with inside(tmp_path / "data") as server:  # the book knows it after a restart, too
        assert not raised(server)
        server.ask("PUT", "/digitaltwins/pump-1", twin)
        assert [a["id"] for a in until(lambda: raised(server))] == [first["id"]]
        before = server.ask("GET", f"/alarms/{first['id']}")
    with inside(tmp_path / "data") as server:
        assert server.ask("GET", f"/alarms/{first['id']}") == before


def test_whoever_reads_after_ingesting_sees_the_alarms_it_raised(server: Inside) -> None:
    server.ask("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 80 °C"})
    for number in range(20):
        server.ingest("pump-1", temperature=90 + number)
        (alarm,) = server.ask("GET", "/alarms", state="all")["value"]
        assert alarm["stands"]
        assert alarm["occurrences"] == number + 1
        server.ingest("pump-1", temperature=20)
        (alarm,) = server.ask("GET", "/alarms", state="all")["value"]
        assert not alarm["stands"]


def test_what_cannot_be_committed_holds_no_answer_up(
    server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise Unavailable("the disk is full")

    server.ask("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 80 °C"})
    with monkeypatch.context() as patched:
        patched.setattr(server.platform.documents, "commit", full)
        server.ingest("pump-1", temperature=90)
        assert server.ask("GET", "/alarms")["value"] == []
    assert until(lambda: server.ask("GET", "/alarms")["value"], "the alarm")
