from __future__ import annotations

import pytest

from gemel.cli import output


def test_tables_show_moments_to_the_millisecond(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("TIME",), [("2026-11-22T21:08:23.864037633Z",), ("2026-11-22T21:08:23Z",)], "")
    assert capsys.readouterr().out.splitlines()[1:] == [
        "2026-11-22T21:08:23.864Z",
        "2026-11-22T21:08:23Z",
    ]


def test_ten_thousands_are_written_out() -> None:
    numbers = (50_000.0, 3_826_049.4, -12_345.6, 9_999.4, 0.12345, 1e20)
    assert [output._plain(n) for n in numbers] == [
        "50000", "3826049", "-12346", "9999", "0.1235", "1e+20",
    ]  # fmt: skip
