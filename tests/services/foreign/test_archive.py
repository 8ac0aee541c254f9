"""Archives that would do harm are refused before anything of them is unpacked."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.errors import InvalidInput, TooLarge
from gemel.services.foreign import archive
from services.foreign.tank import packed

GOOD = {"modelDescription.xml": b"<x/>"}


@pytest.mark.parametrize(
    "name", ["../out", "a/../../out", "/etc/out", "a\\..\\out", "C:/out", "binaries/../../x"]
)
def test_a_name_that_leads_out_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="leads out"):
        archive.unpack(packed({**GOOD, name: b"x"}), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("modelDescription.xml", b"<x/>")
        link = zipfile.ZipInfo("resources")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc")
    with pytest.raises(InvalidInput, match="symbolic link"):
        archive.unpack(out.getvalue(), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("limit", "value"), [("MOST_RATIO", 2), ("MOST_UNPACKED", 1 << 20)])
def test_a_bomb_is_refused(
    limit: str, value: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, limit, value)
    data = packed({**GOOD, "resources/zeros": bytes(3 << 20)})
    assert len(data) < 1 << 14
    with pytest.raises(TooLarge, match="unpacked"):
        archive.unpack(data, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_size_that_is_a_lie_is_found(tmp_path: Path) -> None:
    data = bytearray(packed({**GOOD, "resources/text": b"x" * 10_000}))
    place = data.rfind(b"PK\x01\x02")  # the directory's entry of the last file: its plain size
    data[place + 24 : place + 28] = (10).to_bytes(4, "little")
    with pytest.raises(InvalidInput, match="damaged"):
        archive.unpack(bytes(data), tmp_path)


def test_too_many_files_are_refused() -> None:
    many = {f"resources/{i}": b"" for i in range(archive.MOST_FILES)}
    with pytest.raises(TooLarge, match="files"):
        archive.check(packed({**GOOD, **many}))


def test_an_archive_without_a_description_is_no_fmu() -> None:
    with pytest.raises(InvalidInput, match=r"has no modelDescription\.xml"):
        archive.check(packed({"other.xml": b""}))


def test_a_good_one_is_unpacked_whole(tmp_path: Path) -> None:
    archive.unpack(packed({**GOOD, "resources/a/b.txt": b"12"}), tmp_path)
    assert (tmp_path / "resources/a/b.txt").read_bytes() == b"12"
    assert (tmp_path / "modelDescription.xml").exists()


@given(st.binary(max_size=400), st.integers(0, 200))
def test_bytes_of_any_kind_are_an_error_or_an_archive(noise: bytes, cut: int) -> None:
    whole = packed({**GOOD, "resources/a": b"some text"})
    for data in (noise, whole[:cut] + noise + whole[cut:]):
        try:
            assert "modelDescription.xml" in archive.check(data)
        except InvalidInput:
            continue
