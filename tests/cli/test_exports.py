"""gemel exports: readings are copied out, and what becomes of it is seen, from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.inside import Inside, inside, until
from app.lines_sink import Sink, sinking
from cli.test_keep import ask, gemel


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Inside]]:
    folder = tmp_path_factory.mktemp("exports") / "data"
    with inside(folder) as found:
        found.pumps("p1")
        yield folder, found


@pytest.fixture
def sink() -> Iterator[Sink]:
    with sinking() as made:
        yield made


def test_an_export_is_made_followed_begun_again_and_ended(
    server: tuple[Path, Inside], sink: Sink, tmp_path: Path
) -> None:
    folder, running = server
    data = ("--data", folder)
    code, out, _ = gemel("exports", "list", *data)
    assert (code, out.strip()) == (0, "there are no exports: readings stay in Gemel")
    secret = tmp_path / "token"
    secret.write_text("abc\nnot this\n")
    asked = ("--http", sink.url, "--token-file", secret, "--property", "flow", "--every", "0.5")
    made = ask("exports", "put", "lake", *asked, *data)
    assert (made["http"], made["properties"], made["hasToken"]) == (sink.url, ["flow"], True)
    running.ingest("p1", flow=1, temperature=2)
    until(lambda: len(sink.rows) == 1)
    assert sink.headers[0]["Authorization"] == "Bearer abc"
    until(lambda: ask("exports", "list", *data)["value"][0]["exported"] == 1)
    assert "running" in gemel("exports", "list", *data)[1]
    ask("exports", "restart", "lake", *data)
    until(lambda: len(sink.rows) == 2)
    code, out, _ = gemel("exports", "delete", "lake", *data)
    assert (code, out.strip()) == (0, "lake is ended")


def test_what_is_wrong_is_said(server: tuple[Path, Inside]) -> None:
    data = ("--data", server[0])
    code, _, said = gemel("exports", "put", "lake", "--influx", "http://127.0.0.1:1", *data)
    assert code == 1
    assert "either 'database'" in said
    assert gemel("exports", "delete", "lake", *data)[0] == 1
