"""gemel attachment: what was attached comes back byte by byte; what cannot be is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.inside import inside
from cli.test_keep import ask, gemel

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
KEY = "0f0e0d0c-0b0a-4908-8706-050403020100"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("attachments") / "data"
    with inside(folder) as server:
        server.pumps("pump-1", "pump-2")
        yield folder


def test_a_photo_and_a_note_are_attached_listed_fetched_and_deleted(
    folder: Path, tmp_path: Path
) -> None:
    data = ("--data", folder)
    assert gemel("attachment", "list", *data)[1] == "nothing is attached\n"
    photo, out = tmp_path / "seal.png", tmp_path / "out.png"
    photo.write_bytes(PNG)
    for _ in range(2):  # the second time it is the same
        sent = ("--twin", "pump-1", "--caption", "the seal", "--id", KEY)
        assert ask("attachment", "add", photo, *sent, *data)["type"] == "image/png"
    note = ask("attachment", "add", "--note", "seal changed\nagain", "--twin", "pump-1", *data)
    assert (note["type"], note["text"]) == ("text/plain", "seal changed\nagain")
    listed = gemel("attachment", "list", "--twin", "pump-1", *data)[1]
    assert "the seal" in listed
    assert "seal changed\n" in listed
    assert ask("attachment", "list", "--twin", "pump-2", *data)["value"] == []
    assert ask("attachment", "get", KEY, "--out", out, *data)["bytes"] == len(PNG)
    assert out.read_bytes() == PNG
    assert gemel("attachment", "delete", KEY, *data)[1] == f"deleted {KEY}\n"
    assert [one["id"] for one in ask("attachment", "list", *data)["value"]] == [note["id"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--twin", "pump-1"], "needs a file or --note"),
        (["--note", "x"], "needs --twin or --order"),
        (["missing.png", "--twin", "pump-1"], "missing.png: No such file"),
        (["--note", "x" * 10_001, "--twin", "pump-1"], "10,001 bytes of text/plain"),
        (["--note", "", "--twin", "pump-1"], "neither a picture nor a text"),
        (["--note", "x", "--twin", "nobody"], "nobody"),
        (["--note", "x", "--twin", "pump-1", "--id", "7"], "no UUID"),
    ],
)
def test_what_cannot_be_attached_is_said(folder: Path, words: list[str], said: str) -> None:
    code, _, err = gemel("attachment", "add", *words, "--data", folder)
    assert code == 1
    assert said in err
