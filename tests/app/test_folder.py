"""The data folder is one server's, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemel.app.config import Config
from gemel.app.folder import DataFolder, announce_file, announced
from gemel.app.platform import Platform
from gemel.core.errors import Unavailable


def test_a_second_server_is_refused_in_words(tmp_path: Path) -> None:
    first = Platform(Config(data=str(tmp_path / "data")))
    try:
        with pytest.raises(Unavailable) as caught:
            Platform(Config(data=str(tmp_path / "data")))
        assert "another Gemel uses the data folder" in caught.value.message
        assert "--data" in caught.value.hint
    finally:
        first.documents.close()
        first.folder.close()
    DataFolder(tmp_path / "data").close()  # free again


def test_only_the_owner_may_look_into_it(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    folder.close()


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(Unavailable, match=r"cannot be used.*--data"):
            DataFolder(path)


def test_it_tells_where_the_server_listens_while_it_runs(tmp_path: Path) -> None:
    assert announced(tmp_path) is None
    folder = DataFolder(tmp_path)
    folder.announce({"http": "http://x"})
    assert announced(tmp_path) == {"http": "http://x"}
    folder.close()
    assert announced(tmp_path) is None
    announce_file(tmp_path).write_text("[1]")
    assert announced(tmp_path) is None
    announce_file(tmp_path).write_text("{")
    assert announced(tmp_path) is None
