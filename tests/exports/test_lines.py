"""Readings as line protocol: what a reader of lines finds in them is what was exported."""

from __future__ import annotations

import json
import math
import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from exports.naming import names
from gemel.core.batch import Batch, make_batch
from gemel.core.series import SeriesKey
from gemel.exports.lines import Lines, quality_word, text_value, with_value

T0 = 1_700_000_000_000_000_000
UNESCAPED_COMMA, UNESCAPED_EQUALS = re.compile(r"(?<!\\),"), re.compile(r"(?<!\\)=")
KEYS = (SeriesKey("pump-1", "flow"), SeriesKey("pump-1", "mode"), SeriesKey("pump-2", "flow"))


def split(line: str, at: str) -> list[str]:
    """Cuts a line where a character stands that is neither escaped nor in a text of a field."""
    parts, quoted, is_value, i = [""], False, False, 0
    has_fields = at == ","
    while i < len(line):
        one = line[i]
        if one == "\\" and i + 1 < len(line):
            parts[-1] += line[i : i + 2]
            i += 2
            continue
        if one == '"' and is_value and has_fields:
            quoted = not quoted
        if one == "=" and not quoted:
            is_value = True
        if one in ", " and not quoted:
            is_value = False
            has_fields |= one == " "
        if one == at and not quoted:
            parts.append("")
        else:
            parts[-1] += one
        i += 1
    return parts


def plain(text: str) -> str:
    for one in ",= ":
        text = text.replace("\\" + one, one)
    return text


def read(body: bytes) -> list[tuple[str, dict[str, str], str, object, int]]:
    """(measurement, tags, field, value, time) of every field of every line."""
    found = []
    for line in body.decode().split("\n")[:-1]:
        head, fields, time = split(line, " ")
        measurement, *tags = UNESCAPED_COMMA.split(head)
        pairs = dict(UNESCAPED_EQUALS.split(tag) for tag in tags)
        for one in split(fields, ","):
            name, value = UNESCAPED_EQUALS.split(one, 1)
            shown: object
            if value.startswith('"'):
                shown = value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
            else:
                shown = float(value)
            tags_ = {plain(k): plain(v) for k, v in pairs.items()}
            found.append((plain(measurement), tags_, plain(name), shown, int(time)))
    return found


def body(
    *rows: tuple[int, int, object, int], keys: tuple[SeriesKey, ...] = KEYS, **how: bool
) -> bytes:
    text = {i: v for i, (_, _, v, _) in enumerate(rows) if isinstance(v, str)}
    numbers = [(s, t, math.nan if isinstance(v, str) else v, q) for s, t, v, q in rows]
    return Lines(names(*keys), "readings").body(make_batch(numbers, 0, text), **how)  # type: ignore[arg-type]


def test_what_one_twin_told_at_one_time_is_one_line() -> None:
    assert body((0, T0, 1.5, 0), (1, T0, '"run"', 0), (2, T0, 2.0, 0), (2, T0 + 1, 3.0, 0)) == (
        b'readings,twin=pump-1 flow=1.5,mode="run" 1700000000000000000\n'
        b"readings,twin=pump-2 flow=2.0 1700000000000000000\n"
        b"readings,twin=pump-2 flow=3.0 1700000000000000001\n"
    )


def test_what_stands_by_series_becomes_lines_by_twin() -> None:
    keys = tuple(SeriesKey(f"pump-{i % 2}", f"p{i}") for i in range(100))
    rows = [(s, T0 + t, float(s + t), 0) for s in range(100) for t in range(4)]
    text = body(*rows, keys=keys)
    assert text.count(b"\n") == 2 * 4
    expected = {(keys[s].twin, keys[s].path, v, t) for s, t, v, _ in rows}
    assert {(one[1]["twin"], one[2], one[3], one[4]) for one in read(text)} == expected


def test_a_property_that_comes_twice_at_one_time_has_two_lines() -> None:
    assert body((0, T0, 1.0, 0), (0, T0, 2.0, 0)).count(b"\n") == 2


def test_apart_each_reading_has_a_line() -> None:
    assert body((0, T0, 1.0, 0), (1, T0, '"a"', 0), is_apart=True).count(b"\n") == 2


def test_what_is_not_good_or_not_measured_has_a_tag() -> None:
    keys = (*KEYS, SeriesKey("pump-1", "load", "derived"))
    rows = [(0, T0, 1.0, 129), (1, T0, '"a"', 0), (3, T0, 2.0, 64), (0, T0, 1.0, 32)]
    assert body(*rows, keys=keys) == (
        b"readings,quality=out-of-range,twin=pump-1 flow=1.0 1700000000000000000\n"
        b'readings,twin=pump-1 mode="a" 1700000000000000000\n'
        b"readings,provenance=derived,quality=uncertain,twin=pump-1 load=2.0 1700000000000000000\n"
        b"readings,twin=pump-1 flow=1.0 1700000000000000000\n"
    )
    assert [quality_word(q) for q in (65, 70, 130, 200)] == [
        "clock-suspect", "uncertain", "sensor-fault", "bad",
    ]  # fmt: skip


def test_a_whole_number_beyond_2_to_the_53_stays_a_number() -> None:
    assert text_value("-12345678901234567890") == b"-12345678901234567890"
    assert text_value('{"a": "b"}') == b'"{\\"a\\": \\"b\\"}"'


def test_readings_without_a_value_are_left_out() -> None:
    batch = Batch(
        np.array([0, 1, 0], np.int32),
        np.array([T0, T0, T0], np.int64),
        np.array([math.nan, math.nan, 1.0]),
        np.zeros(3, np.uint8),
        0,
        {1: '"x"'},
    )
    assert [batch.series[i] for i in (1, 2)] == with_value(batch).series.tolist()
    assert with_value(batch).text == {0: '"x"'}


words = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\\\0"), min_size=1, max_size=8)
values = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=8).map(json.dumps),
)


@given(
    st.lists(words, min_size=1, max_size=4, unique=True),
    st.lists(words, min_size=1, max_size=4, unique=True),
    st.lists(
        st.tuples(st.integers(0, 100), st.integers(0, 3), values, st.sampled_from([0, 65, 128])),
        max_size=30,
    ),
)
def test_what_is_read_back_is_what_was_exported(
    twins: list[str], paths: list[str], rows: list[tuple[int, int, object, int]]
) -> None:
    keys = tuple(SeriesKey(twin, path) for twin in twins for path in paths)
    if not rows:
        return
    batch = [(s % len(keys), T0 + t, v, q) for s, t, v, q in rows]
    found = read(body(*batch, keys=keys))
    expected = []
    for series, time, value, quality in batch:
        key = keys[series]
        tags = {"twin": key.twin} | ({"quality": quality_word(quality)} if quality else {})
        name = "time_" if key.path == "time" else key.path
        shown = json.loads(value) if isinstance(value, str) else value
        expected.append(("readings", tags, name, shown, time))
    assert found == expected
