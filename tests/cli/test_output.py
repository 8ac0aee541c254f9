from __future__ import annotations

import pytest

from gemel.cli import output


def test_tables_show_moments_to_the_millisecond(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("TIME",), [("2026-11-22T21:08:23.864037633Z",), ("2026-11-22T21:08:23Z",)], "")
    assert capsys.readouterr().out.splitlines()[1:] == [
        "2026-11-22T21:08:23.864Z",
        "2026-11-22T21:08:23Z",
    ]
