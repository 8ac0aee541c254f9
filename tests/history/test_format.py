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
from gemel.history.payload import (
    MOST_PATHS,
    decode_series,
    encode_series,
    parse_series_line,
    series_lines,
)
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


KEYS = st.builds(SeriesKey, st.text(max_size=2), st.text(), st.sampled_from(["measured", "\u2028"]))


@given(st.integers(0, 2**31), st.lists(KEYS))
def test_names_of_series_are_found_again_from_lines_of_json(first, keys):
    lines = list(series_lines(first, keys))
    assert all(line.isascii() and b"\n" not in line for line in lines)
    found = [one for line in lines for one in parse_series_line(line)]
    assert found == list(enumerate(keys, first))
    assert decode_series(encode_series(first, keys)[0]) == found


def test_series_of_a_twin_share_lines_of_a_bounded_length():
    keys = [SeriesKey("pump", f"s{n}", "measured") for n in range(MOST_PATHS + 2)]
    first, second = series_lines(7, keys)
    assert json.loads(second) == {
        "n": 7 + MOST_PATHS,
        "twin": "pump",
        "paths": [f"s{MOST_PATHS}", f"s{MOST_PATHS + 1}"],
        "provenance": "measured",
    }
    assert len(json.loads(first)["paths"]) == MOST_PATHS


def test_a_line_of_before_names_one_series():
    line = b'{"n": 3, "twin": "pump", "path": "flow", "provenance": "measured"}'
    assert parse_series_line(line) == [(3, SeriesKey("pump", "flow", "measured"))]
