"""The program in docs/formats/history.md reads what Gemel writes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.batch import Batch
from gemel.core.series import SeriesKey
from gemel.history import block, blockfile, index, scaled, segment
from gemel.history import codec as codec_module
from gemel.history.codec import Codec
from gemel.history.payload import parse_series_line, series_line
from gemel.history.record import FILE_HEADER, HEADER

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "history.md"
T0 = 1_700_000_000_000_000_000


@pytest.mark.parametrize("codec", [Codec.PCODEC, Codec.PLANES])
@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(("rows_apart", "least_scaled"), [(8, 8), (8, 512), (512, 8)])
def test_the_page_s_program_reads_a_segment(
    opened, tmp_path, monkeypatch, codec, together, rows_apart, least_scaled
):
    monkeypatch.setattr(segment, "BLOCK_ROWS", 50)
    monkeypatch.setattr(codec_module, "LEAST_SCALED", least_scaled)
    monkeypatch.setattr(codec_module, "WHOLE_TOGETHER", 16)
    monkeypatch.setattr(scaled, "ODD_ONES", 8)
    monkeypatch.setattr(block, "ROWS_APART", rows_apart)
    history = opened(4, codec=codec)
    expected = []
    rng = np.random.default_rng(3)
    for i in range(4):
        n = 60
        series = rng.integers(0, 4, n).astype(np.int32)
        time = T0 + (np.arange(n) + i * n) * 10**9
        value = np.round(rng.normal(size=n), 2)
        quality = rng.choice([0, 64], n).astype(np.uint8)
        text = {5: '"läuft"', 9: "9007199254740993"} if i % 2 else {}
        value[list(text)] = np.nan
        received = T0 + 10**12 if together else T0 + i * 10**9
        opened.store(history, Batch(series, time, value, quality, received, text))
        for r in range(n):
            shown = text.get(r, np.float64(value[r]))
            expected.append(
                (int(series[r]), int(time[r]), str(shown), int(quality[r]), received // 10**6)
            )
    history.seal()
    program = tmp_path / "read.py"
    program.write_text(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0])
    (path,) = (opened.folder / "segments").glob("*.seg")
    done = subprocess.run(
        [sys.executable, str(program), str(path)], capture_output=True, text=True, check=True
    )
    found = [line.split(" ") for line in done.stdout.splitlines()]
    assert [(int(s), int(t), v, int(q), int(r)) for s, t, v, q, r in found] == sorted(
        expected, key=lambda row: row[:2]
    )


def test_the_page_states_the_sizes_of_the_headers():
    assert FILE_HEADER.size == HEADER.size == 32
    assert blockfile.FILE_HEADER.size == index.FOOTER.size == 32


@given(st.integers(0, 2**31), st.text(), st.text(), st.text())
def test_line_of_a_series_is_what_a_json_library_writes(number, twin, path, provenance):
    key = SeriesKey(twin, path, provenance)
    line = series_line(number, key)
    assert line == json.dumps({"n": number, **key._asdict()}).encode()
    assert parse_series_line(line) == (number, key)
