from __future__ import annotations

import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.access import Principal
from gemel.core.clock import SECOND
from gemel.ingest import lines
from gemel.ingest.lines import Part, line_parts, reject_faults
from gemel.ingest.topics import Binding

NOW = 1_763_800_000 * SECOND
WHO = Principal("telegraf", "engineer")


def read(body: str | bytes, step: int = 1) -> Part:
    raw = body.encode() if isinstance(body, str) else body
    whole = Part([], [], [])
    for part in line_parts(raw, step, WHO, NOW):
        for all_of, some in zip(whole, part, strict=True):
            all_of += some  # type: ignore[operator]
    return whole


def values(body: str | bytes, step: int = 1) -> list[dict[str, object]]:
    found = read(body, step)
    assert found.faults == []
    return [orjson.loads(m.payload) for m in found.messages]


@pytest.mark.parametrize(
    ("head", "topic"),
    [
        ("pump,twin=pump-1", "devices/pump-1/telemetry"),
        ("pump,site=a,twin=pump\\ 1", "devices/pump_1/telemetry"),
        ("cpu", "influx/cpu"),
        ("cpu,host=b,cpu=cpu0", "influx/cpu/cpu=cpu0/host=b"),
        ("disk,path=/dev/sda", "influx/disk/path=.dev.sda"),
        ("a\\,b\\ c,t\\=u=v\\,w", "influx/a,b c/t=u=v,w"),
        ("c:\\x,k=\\y", "influx/c:\\x/k=\\y"),
        ("größe,ort=köln", "influx/größe/ort=köln"),
    ],
)
def test_measurement_and_tags_give_the_topic(head: str, topic: str) -> None:
    assert [m.topic for m in read(f'{head} f=1\n{head} s="x"').messages] == [topic, topic]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-1.5", -1.5),
        ("1e3", 1000),
        ("1.e+3", 1000),
        (".5", 0.5),
        ("+2", 2),
        ("007", 7),
        ("5i", 5),
        ("-5i", -5),
        ("9223372036854775807i", 2**63 - 1),
        ("18446744073709551615u", 2**64 - 1),
        ("t", True),
        ("TRUE", True),
        ("false", False),
        ('"a b,c=d"', "a b,c=d"),
        ('"say \\"hi\\" \\\\ \\n"', 'say "hi" \\ \\n'),
        ('"two\nlines"', "two\nlines"),
        ('""', ""),
    ],
)
def test_values_of_every_type(text: str, value: object) -> None:
    found = values(f"m,twin=p f={text} {NOW}\nm,twin=p f=1")
    assert found == [{"$time": NOW, "f": value}, {"$time": NOW, "f": 1}]
    assert type(found[0]["f"]) in (type(value), float)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("cpu", "its fields are missing"),
        ("cpu ", "its fields are missing"),
        ("cpu,host f=1", "tag 'host' has no value"),
        ("cpu,host= f=1", "tag 'host' has no value"),
        ("cpu,=a f=1", "a tag has no name"),
        (",a=b f=1", "the measurement is missing"),
        ("cpu,a=1,a=2 f=1", "tag 'a' is there twice"),
        ("cpu,twin=/ f=1", "tag 'twin' names none"),
        ("cpu f", "field 'f' has no value"),
        ("cpu f=", "field 'f' has no value"),
        ("cpu f=1,", "its fields are missing"),
        ("cpu f=abc", "'abc' is no number"),
        ("cpu f=NaN", "'NaN' is no number"),
        ("cpu f=-1u", "'-1u' is no number"),
        ("cpu f=1.5i", "'1.5i' is no number"),
        ("cpu f=1e999", "beyond float64"),
        ("cpu f=9223372036854775808i", "beyond 64 bits"),
        ('cpu f="abc', "no closing quote"),
        ('cpu f="a"b', "is no time"),
        ("cpu f=1 noon", "is no time"),
        ("cpu f=1 1 2", "is no time"),
        ("cpu f=1 9223372036854775808", "64 bits"),
        (b"cpu,a=\xff f=1", "not UTF-8"),
    ],
)
def test_a_bad_line_names_its_rule_and_the_others_are_taken(line: str | bytes, rule: str) -> None:
    raw = line.encode() if isinstance(line, str) else line
    found = read(b"m f=1\n\n" + raw + b"\nm f=2\n")
    assert [(f.line, rule in f.rule) for f in found.faults] == [(3, True)], found.faults
    assert found.lines == [1, 4]


def test_comments_blank_lines_and_line_ends_of_windows() -> None:
    found = read(f"# a comment\r\n\r\n  \nm,twin=p f=1 {NOW}\r\n m,twin=p f=t {NOW}\r\n")
    assert found.faults == []
    assert found.lines == [4, 5]
    assert [orjson.loads(m.payload)["$time"] for m in found.messages] == [NOW, NOW]


def test_lines_after_a_text_of_several_lines_keep_their_number() -> None:
    found = read('m s="a\nb\nc" 5\nm f=\nm f=1')
    assert found.lines == [1, 5]
    assert [f.line for f in found.faults] == [4]


def test_a_quote_in_a_tag_opens_no_text() -> None:
    found = read('m,a=b"c s="x"\nm,a=b"c f=1')
    assert (found.faults, found.lines) == ([], [1, 2])


@pytest.mark.parametrize(("step", "time"), [(1, NOW), (1_000_000, NOW // 10**6), (SECOND, 5)])
def test_precision_scales_times_of_any_year(step: int, time: int) -> None:
    plant_time = values(f"m,twin=p f=1 {time}", step)[0]["$time"]
    expected = time * step
    assert plant_time == (expected if expected >= 10**17 else "1970-01-01T00:00:05Z")


def test_a_lone_value_is_what_the_measurement_says() -> None:
    body = 'temperature,twin=p value=1i\nstate,twin=p value="on"\nair\\=x,twin=p value=2'
    assert values(body + "\nm,twin=p value=3,f=4") == [
        {"$time": NOW, "temperature": 1},
        {"$time": NOW, "state": "on"},
        {"$time": NOW, "air\\=x": 2},
        {"$time": NOW, "value": 3, "f": 4},
    ]


def test_a_line_that_is_too_long_is_left_out() -> None:
    found = read(b'm f=1\nm s="' + b"x" * lines.LONGEST_LINE + b'"\nm f=2')
    assert (found.lines, [f.line for f in found.faults]) == ([1, 3], [2])


def test_a_long_body_comes_in_parts() -> None:
    body = b"".join(b"m f=%d %d\n" % (n, NOW) for n in range(lines.PART_LINES + 1))
    parts = list(line_parts(body, 1, WHO, NOW))
    assert [len(p.messages) for p in parts] == [lines.PART_LINES, 1]
    assert parts[1].lines == [lines.PART_LINES + 1]


def test_each_of_several_texts_goes_on_over_line_breaks() -> None:
    found = read(f'm a="1\n2\n",b="3\n4",c="5" {NOW}\nm f=1\nm a="1\n",b="2\nm f=2')
    assert found.messages[0].payload.endswith(b'"a":"1\\n2\\n","b":"3\\n4","c":"5"}')
    assert found.lines[:2] == [1, 5]
    assert found.faults[0].line == 6


def test_a_quote_in_a_name_opens_no_text() -> None:
    found = read(f'm,t=0 0="\n","=0.0 {NOW}\nm f=1\nm "=1,c="\xff\n" {NOW}\n'.encode("latin-1"))
    assert orjson.loads(found.messages[0].payload) == {"$time": NOW, "0": "\n", '"': 0.0}
    assert found.lines == [1, 3]
    assert next((f.line, f.rule) for f in found.faults) == (4, "it is not UTF-8")


NAMES = st.text(st.characters(exclude_categories=("C",), exclude_characters="\\/"), min_size=1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.one_of(
    FLOATS.map(lambda v: (repr(v), v)),
    st.integers(-(2**63), 2**63 - 1).map(lambda v: (f"{v}i", v)),
    st.integers(0, 2**64 - 1).map(lambda v: (f"{v}u", v)),
    st.booleans().map(lambda v: ("true" if v else "F", v)),
    st.text(st.characters(exclude_categories=("Cs",))).map(
        lambda v: ('"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"', v)
    ),
)


def escaped(text: str) -> str:
    return text.replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")


@given(NAMES.map(str.strip).filter(bool), st.dictionaries(NAMES, VALUES, min_size=1), NAMES)
def test_what_is_written_is_read(
    tag: str, fields: dict[str, tuple[str, object]], last: str
) -> None:
    text = ",".join(f"{escaped(k)}={v}" for k, (v, _) in fields.items())
    found = values(f"m,t={escaped(tag)} {text} {NOW}\nm f=1")
    for key, (_, value) in fields.items():
        same = found[0][key]
        assert same == value or (isinstance(value, float) and math.isclose(same, value))  # type: ignore[arg-type]


@given(st.binary(max_size=200))
def test_whatever_is_sent_every_line_is_taken_or_told(body: bytes) -> None:
    found = read(body)
    assert len(found.messages) == len(found.lines)
    for number in [*found.lines, *(f.line for f in found.faults)]:
        assert 1 <= number <= body.count(b"\n") + 1


def test_plain_and_careful_lines_give_the_same_readings(plant) -> None:  # type: ignore[no-untyped-def]
    plain = read(f"m,twin=pump-1 flow=12.5,starts=3i,running=true {NOW}")
    careful = read(f"m,twin=pump-2 flow=+12.5,starts=+3i,running=T {NOW}")
    for part in (plain, careful):
        taken = plant.ingest.accept(part.messages, NOW)
        assert (taken.readings, taken.rejects) == (3, [])
        assert taken.batch.value.tolist() == [12.5, 3.0, 1.0]
        assert set(taken.batch.time.tolist()) == {NOW}


def test_fields_called_like_times_are_values(plant) -> None:  # type: ignore[no-untyped-def]
    for _ in range(2):
        part = read(f"m,site=a t=21.5,timestamp=1763700000,time=5,ts=7i {NOW}")
        taken = plant.ingest.accept(part.messages, NOW)
        assert sorted(taken.batch.value.tolist()) == [5, 7, 21.5, 1763700000]
        assert set(taken.batch.time.tolist()) == {NOW}


def test_bindings_name_the_twin_by_tags(plant) -> None:  # type: ignore[no-untyped-def]
    plant.ingest.set_bindings(
        [Binding("b", "influx/pump/host={line}/unit={n}", "pump-{n}", time="when")]
    )
    part = read(f"pump,unit=2,host=a flow=3 {NOW - SECOND}\npump,unit=1,host=b flow=4 {NOW}")
    taken = plant.ingest.accept(part.messages, NOW)
    assert taken.rejects == []
    assert sorted(taken.seen) == ["pump-1", "pump-2"]
    assert taken.batch.time.tolist() == [NOW - SECOND, NOW]


def test_rejects_lead_back_to_their_lines(plant) -> None:  # type: ignore[no-untyped-def]
    part = read(
        f"m,twin=pump-1 flow=1 {NOW}\nm,twin=pump-1 running=5 {NOW}\n"
        f"m,twin=pump-1 flow=1 {NOW + 3600 * SECOND}\nm,twin=pump-1 flow=1 -5"
    )
    taken = plant.ingest.accept(part.messages, NOW)
    assert taken.readings == 1
    found = reject_faults(part, taken.rejects)
    assert [(f.line, f.rule.rpartition(": ")[2]) for f in found] == [
        (2, "wrong-type"),
        (3, "far-future"),
        (4, "before-1970"),
    ]
