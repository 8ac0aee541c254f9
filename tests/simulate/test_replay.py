import argparse
import asyncio
import gzip
import math
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.clock import SECOND, FakeClock, from_iso
from gemel.core.errors import ConfigInvalid, Forbidden, InvalidInput, NotFound, Unavailable
from gemel.simulate.mapping import Record, parse_map, property_name, time_reader, value_of
from gemel.simulate.recording import Recording
from gemel.simulate.replay import add_arguments, pack, parse_speed, replay

DATA = Path(__file__).parents[2] / "../shared/data"


class Sink:
    """Takes everything and confirms it."""

    def __init__(self, refuse=False):
        self.sent = []
        self.refuse = refuse

    async def start(self): ...

    async def connected(self): ...

    async def close(self): ...

    def publish_nowait(self, topic, payload, qos=1, retain=False):
        future = asyncio.get_running_loop().create_future()
        self.sent.append((topic, orjson.loads(payload)))
        if self.refuse:
            future.set_exception(Forbidden("not your twin"))
        else:
            future.set_result(None)
        return future


def play(*words, sink=None, now=2_000_000_000):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    arguments = parser.parse_args([str(word) for word in words])
    sink = sink or Sink()
    summary = asyncio.run(replay(arguments, sink, FakeClock(now * SECOND)))
    return sink.sent, summary


@pytest.fixture
def file(tmp_path):
    def write(text, name="data.csv"):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


def test_rows_become_messages_with_their_times(file):
    path = file("timestamp,Flow rate,note\n2020-03-09 10:14:33,1.5,ok\n2020-03-09 10:14:34,2,ok\n")
    sent, summary = play(path, "--twin", "pump-1")
    assert sent == [
        ("devices/pump-1/telemetry", {"time": 1583748873000, "FlowRate": 1.5, "note": "ok"}),
        ("devices/pump-1/telemetry", {"time": 1583748874000, "FlowRate": 2, "note": "ok"}),
    ]
    body = summary.as_json()
    assert (body["rows"], body["readings"], body["messages"], body["acknowledged"]) == (2, 4, 2, 2)
    assert (body["from"], body["to"]) == ("2020-03-09T10:14:33Z", "2020-03-09T10:14:34Z")


def test_only_mapped_columns_are_sent_under_their_new_names(file):
    path = file("t;a;b;c\n1600000000;1;2;3\n")
    sent, _ = play(path, "--twin", "x", "--map", "b=flow", "--map", "a=pressure")
    assert sent == [("devices/x/telemetry", {"time": 1600000000000, "flow": 2, "pressure": 1})]


def test_missing_values_are_left_out_and_counted(file):
    path = file("t,a,b\n1600000000,,2\n1600000001,nan,#VALUE!\n1600000002,-9999,4\n")
    sent, summary = play(path, "--twin", "x", "--missing", "-9999")
    assert [body for _, body in sent] == [
        {"time": 1600000000000, "b": 2},
        {"time": 1600000002000, "b": 4},
    ]
    assert (summary.rows, summary.readings, summary.missing) == (3, 2, 4)


def test_batch_makes_columns_and_falls_back_to_rows_where_values_miss(file):
    path = file("t,a,b\n" + "".join(f"{1600000000 + n},{n},{n or ''}\n" for n in range(5)))
    sent, summary = play(path, "--twin", "x", "--batch", 2)
    assert sent[0][1] == [{"time": 1600000000000, "a": 0}, {"time": 1600000001000, "a": 1, "b": 1}]
    assert sent[1][1] == {"time": [1600000002000, 1600000003000], "a": [2, 3], "b": [2, 3]}
    assert sent[2][1] == {"time": 1600000004000, "a": 4, "b": 4}
    assert summary.messages == 3


def test_twin_column_names_the_twins_and_batches_stay_apart(file):
    path = file("unit,t,a\n1,1600000000,1\n2,1600000000,2\n1,1600000001,3\n")
    sent, summary = play(path, "--twin", "engine-{}", "--twin-column", "unit", "--batch", 10)
    assert [(topic, body["a"]) for topic, body in sent] == [
        ("devices/engine-1/telemetry", [1, 3]),
        ("devices/engine-2/telemetry", 2),
    ]
    assert len(summary.twins) == 2


def test_units_travel_as_senml(file):
    path = file("t,temp,on,mode\n1600000000.5,70,true,auto\n")
    sent, _ = play(
        path,
        "--twin",
        "x",
        "--map",
        "temp=temperature:degF",
        "--map",
        "on=on",
        "--map",
        "mode=mode",
    )
    assert sent[0][1] == [
        {"n": "temperature", "v": 70, "u": "degreeFahrenheit", "t": 1600000000.5},
        {"n": "on", "vb": True, "t": 1600000000.5},
        {"n": "mode", "vs": "auto", "t": 1600000000.5},
    ]


def test_start_end_and_every_move_times(file):
    path = file("a\n1\n2\n3\n")
    sent, _ = play(path, "--twin", "x", "--every", 60, "--start", "2021-01-01T00:00:00Z")
    first = from_iso("2021-01-01T00:00:00Z") // 1_000_000
    assert [body["time"] for _, body in sent] == [first, first + 60_000, first + 120_000]
    sent, _ = play(path, "--twin", "x", "--every", 60)
    assert sent[-1][1]["time"] == 2_000_000_000_000
    sent, _ = play(path, "--twin", "x", "--every", 60, "--end", "now", now=1_700_000_000)
    assert sent[-1][1]["time"] == 1_700_000_000_000


def test_old_times_are_written_so_that_nobody_takes_their_unit_wrongly(file):
    path = file("t,a\n1985-01-01T00:00:00Z,1\n")
    assert play(path, "--twin", "x")[0][0][1]["time"] == "1985-01-01T00:00:00Z"


def test_file_without_names_and_with_blanks(file):
    path = file("  1.0   2.0\n  3.0   4.0\n", "d00.dat")
    sent, _ = play(path, "--twin", "x", "--columns", "a,b", "--every", 180)
    assert [(b["a"], b["b"]) for _, b in sent] == [(1.0, 2.0), (3.0, 4.0)]


def test_gzip_is_read(tmp_path):
    path = tmp_path / "data.csv.gz"
    path.write_bytes(gzip.compress(b"t,a\n1600000000,5\n"))
    assert play(path, "--twin", "x")[0][0][1]["a"] == 5


def test_parquet_is_read(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    from datetime import UTC, datetime

    moments = [datetime(2021, 1, 1, 0, 0, n, tzinfo=UTC) for n in range(3)]
    table = arrow.table({"time": moments, "a": [1.5, None, 3.5], "b": [1, 2, 3]})
    parquet.write_table(table, tmp_path / "data.parquet")
    sent, summary = play(tmp_path / "data.parquet", "--twin", "x")
    assert [body.get("a") for _, body in sent] == [1.5, None, 3.5]
    assert sent[0][1]["time"] == 1609459200000
    assert summary.missing == 1


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(InvalidInput, match=r"gemel\[parquet\]"):
        Recording(tmp_path / "a.parquet")


def test_replay_keeps_to_its_speed_in_order(file):
    path = file("t,a\n1600000000,1\n1600000060,2\n1600000120,3\n")
    sent, summary = play(path, "--twin", "x", "--speed", 600)
    assert [body["a"] for _, body in sent] == [1, 2, 3]
    assert summary.seconds >= 0.2


def test_several_files_follow_each_other(file):
    one, two = file("t,a\n1600000000,1\n", "1.csv"), file("t,a\n1600000001,2\n", "2.csv")
    sent, summary = play(one, two, "--twin", "x")
    assert [body["a"] for _, body in sent] == [1, 2]
    assert summary.files == 2


def test_limit_takes_the_first_rows(file):
    assert play(file("t,a\n1,1\n2,2\n3,3\n"), "--twin", "x", "--limit", 2)[1].rows == 2


# ---- what is wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--map", "flwo=flow"], "there is no column 'flwo'.*'t', 'flow', 'unit'"),
        (["--time", "when"], "there is no column 'when'.*'t', 'flow'"),
        (["--twin-column", "id"], "there is no column 'id'"),
        (["--map", "flow"], "is not a mapping"),
        (["--map", "flow=1x"], "is not a mapping"),
        (["--map", "flow=flow:parsec"], "not a unit"),
        (["--map", "flow=f", "--map", "unit=f"], "two columns go to the property 'f'"),
        (["--time-format", "lunar"], "is not known"),
        (["--time-format", "step:x"], "step:x"),
    ],
)
def test_wrong_arguments_name_what_there_is(file, words, match):
    path = file("t,flow,unit\n1600000000,1,a\n")
    with pytest.raises(InvalidInput, match=match):
        play(path, "--twin", "x", *words)


def test_bad_rows_are_named_before_anything_is_sent(file):
    sink = Sink()
    path = file("t,a\n1600000000,1\nyesterday,2\n")
    with pytest.raises(InvalidInput, match="line 3: 'yesterday' in column 't' is not a time"):
        play(path, "--twin", "x", sink=sink)
    path = file("t,a\n1600000000,1\n1600000001\n")
    with pytest.raises(InvalidInput, match="line 3: 1 cells, not 2"):
        play(path, "--twin", "x", sink=sink)
    path = file("t,a,id\n1600000000,1,a/b\n")
    with pytest.raises(InvalidInput, match="cannot name a twin"):
        play(path, "--twin-column", "id", sink=sink)
    assert sink.sent == []


def test_file_that_is_not_there_or_empty_or_not_text(file, tmp_path):
    with pytest.raises(NotFound, match="there is no file"):
        play(tmp_path / "nothing.csv", "--twin", "x")
    with pytest.raises(InvalidInput, match="is empty"):
        play(file(""), "--twin", "x")
    with pytest.raises(InvalidInput, match="no row"):
        play(file("t,a\n"), "--twin", "x")
    broken = tmp_path / "broken.csv"
    broken.write_bytes(b"t,a\n1,\xff\xfe\n")
    with pytest.raises(InvalidInput, match="cannot be read"):
        play(broken, "--twin", "x")
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(b"t,a\n" + b"1600000000,1\n" * 5000)[:60])
    with pytest.raises(InvalidInput, match="cannot be read"):
        play(cut, "--twin", "x")


def test_no_time_column_asks_for_one(file):
    with pytest.raises(InvalidInput, match=r"give --time COLUMN or --every SECONDS.*'a', 'b'"):
        play(file("a,b\n1,2\n"), "--twin", "x")


def test_no_twin_is_refused(file):
    with pytest.raises(ConfigInvalid, match="--twin NAME or --twin-column"):
        play(file("t,a\n1,2\n"))


@pytest.mark.parametrize("text", ["0", "-1", "fast", "nan", "inf"])
def test_speed_that_is_none_is_refused(text):
    with pytest.raises(ConfigInvalid, match="--speed"):
        parse_speed(text)
    assert parse_speed("max") == math.inf


def test_refusal_of_the_server_ends_the_replay(file):
    path = file("t,a\n1600000000,1\n")
    with pytest.raises(Forbidden, match="not your twin"):
        play(path, "--twin", "x", sink=Sink(refuse=True))


def test_server_that_does_not_answer_is_said(file, monkeypatch):
    monkeypatch.setattr("gemel.simulate.replay.CONNECT_SECONDS", 0.01)

    class Deaf(Sink):
        async def connected(self):
            await asyncio.Event().wait()

    with pytest.raises(Unavailable, match="no server answers"):
        play(file("t,a\n1600000000,1\n"), "--twin", "x", sink=Deaf())


# ---- cells, names, times ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "cell", "iso"),
    [
        ("", "2020-03-09 10:14:33", "2020-03-09T10:14:33Z"),
        ("", "2020-03-09T12:14:33.25+02:00", "2020-03-09T10:14:33.250Z"),
        ("", "1583748873", "2020-03-09T10:14:33Z"),
        ("", "1583748873123", "2020-03-09T10:14:33.123Z"),
        ("", "1583748873123456789", "2020-03-09T10:14:33.123456789Z"),
        ("s", "1583748873.000001", "2020-03-09T10:14:33.000001Z"),
        ("%d %m %Y %H:%M", "01 02 2018 00:10", "2018-02-01T00:10:00Z"),
        ("step:10", "3", "1970-01-01T00:00:30Z"),
    ],
)
def test_times_are_read_in_every_form(form, cell, iso):
    assert time_reader(form)(cell) == from_iso(iso)


@given(st.integers(0, 2**60))
def test_nanoseconds_are_kept_to_the_last(time):
    assert time_reader("ns")(str(time)) == time


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1", 1), (" 1.50 ", 1.5), ("-3e2", -300.0), ("True", True), ("NaN", None), ("", None),
        ("inf", None), ("ok", "ok"), (1.5, 1.5), (float("nan"), None), (None, None), (True, True),
        ("12345678901234567890", 12345678901234567890.0),
    ],
)  # fmt: skip
def test_cells_become_values(cell, value):
    assert value_of(cell) == value


@given(st.text(max_size=40))
def test_every_column_gets_a_possible_name(column):
    parse_map(f"x={property_name(column)}")


def test_names_of_the_data_sets():
    assert property_name("Volume Flow RateRMS") == "VolumeFlowRateRMS"
    assert property_name("1st") == "v1st"
    assert property_name("s1") == "s1"


@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), st.floats(-1e6, 1e6), min_size=1), min_size=1),
    st.integers(10**18, 2 * 10**18),
)
def test_packed_rows_hold_every_reading(rows, first):
    records = [Record("x", first + n, row) for n, row in enumerate(rows)]
    body = orjson.loads(pack(records, {}))
    if isinstance(body, dict) and isinstance(body["time"], list):
        body = [dict(zip(body, cells, strict=True)) for cells in zip(*body.values(), strict=True)]
    body = body if isinstance(body, list) else [body]
    assert len(body) == len(rows)
    for sent, row in zip(body, rows, strict=True):
        assert {k: v for k, v in sent.items() if k != "time"} == row


# ---- the recorded data ------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no recorded data at {DATA}")
class TestRecordedData:
    def test_skab(self):
        sent, summary = play(DATA / "skab/valve1/0.csv", "--twin", "rig", "--batch", 50)
        assert (summary.rows, summary.readings, summary.missing) == (1147, 11470, 0)
        assert "VolumeFlowRateRMS" in sent[0][1]

    def test_nab(self):
        path = DATA / "nab/realKnownCause/machine_temperature_system_failure.csv"
        sent, summary = play(path, "--twin", "m", "--map", "value=temperature:degF", "--batch", 500)
        assert summary.rows == summary.readings == 22_695
        assert sent[0][1][0]["u"] == "degreeFahrenheit"

    def test_cmapss(self):
        words = ["--twin", "engine-{}", "--twin-column", "unit", "--time", "cycle"]
        words += ["--time-format", "step:3600", "--batch", 100]
        _, summary = play(DATA / "cmapss/train_FD001.csv.gz", *words)
        assert (summary.rows, len(summary.twins)) == (20_631, 100)
        assert summary.readings == 20_631 * 24

    def test_wind_and_hvac_with_holes(self):
        path = next((DATA / "wind_scada").glob("*.csv*"))
        _, summary = play(path, "--twin", "t", "--time-format", "%d %m %Y %H:%M", "--batch", 500)
        assert summary.rows > 10_000
        path = next((DATA / "hvac_fdd").glob("*SZCAV*.csv*"))
        first = Recording(path).columns[0]
        _, summary = play(path, "--twin", "a", "--time", first, "--time-format", "%m/%d/%Y %H:%M",
                          "--batch", 500)  # fmt: skip
        assert summary.missing >= 90

    def test_tennessee_eastman_without_names(self):
        names = ",".join(f"x{n}" for n in range(1, 53))
        path = DATA / "tep/d01.dat.gz"
        words = ["--twin", "t", "--columns", names, "--every", 180, "--batch", 100]
        _, summary = play(path, *words)
        assert summary.readings == summary.rows * 52
