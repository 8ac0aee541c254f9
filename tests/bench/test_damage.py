"""The programme that damages a data folder: what it does to files, and how it judges."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "bench"))  # not for long: it has modules named as folders of tests are
try:
    from damage.asked import compared
    from damage.judging import BROKEN, Checked, Served, judge
    from damage.striking import Stroke, kind_of, strike
finally:
    sys.path.remove(str(ROOT / "bench"))

SOUND = Checked(0, [], [], "")
BIT = Stroke("segments", "history/segments/1.seg", False, 100, 200)


def told(file: str) -> Checked:
    return Checked(1, [{"file": file, "what": "changed"}], [], "")


def served(started: bool = True, said: str = "", died: str = "") -> Served:
    return Served(started, said, {}, died)


@pytest.mark.parametrize(
    ("checked", "server", "other", "same", "verdict"),
    [
        (told(BIT.file), served(), [], False, "found"),
        (SOUND, served(), [], False, "not found"),
        (SOUND, served(), [], True, "harmless"),
        (told(BIT.file), served(), ["readings"], False, "wrong"),
        (told("history/log/1.wal"), served(), [], False, "not found"),
        (told(BIT.file), served(died="it ended with -11"), [], False, "died"),
        (told(BIT.file), served(False, "'/d/history/segments/1.seg' is gone"), [], False, "found"),
        (told(BIT.file), served(False, "KeyError"), [], False, "refused without its name"),
        (Checked(-1, [], [], "KeyError: 1"), served(), [], False, "check died"),
    ],
)
def test_what_came_of_a_stroke_has_one_word(
    checked: Checked, server: Served, other: list[str], same: bool, verdict: str
) -> None:
    assert judge(BIT, checked, server, ([], other), same) == verdict
    assert (verdict in BROKEN) == (verdict not in ("found", "harmless", "not found"))


def test_documents_that_are_told_to_be_damaged_may_be_served() -> None:
    stroke = BIT._replace(kind="documents", file="gemel.sqlite")
    assert judge(stroke, told("gemel.sqlite"), served(), ([], ["/models"]), False) == "found"
    assert judge(stroke, SOUND, served(), ([], ["/models"]), False) == "wrong"


def test_less_of_an_answer_is_told_from_another() -> None:
    before = {"set": {1, 2}, "rows": [{"a": 1, "b": 2}, {"a": 2}], "file": b"x", "count": 3}
    assert compared(before, before) == ([], [])
    now = {"set": {1}, "rows": [{"a": 1}], "file": "refused", "count": 2}
    assert compared(before, now) == (["set", "rows", "file", "count"], [])
    now = {"set": {1, 3}, "rows": [{"a": 3}], "file": b"y", "count": 4, "new": 1}
    assert compared(before, now) == ([], ["set", "rows", "file", "count", "new"])


def test_a_stroke_flips_one_bit_or_cuts_one_file(tmp_path: Path) -> None:
    files = ("history/log/1.wal", "runs/r-1/log.txt", "imports/.a.sum", "history/ballast")
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    chance, kinds = random.Random(5), set()
    for _ in range(200):
        for name in files:
            (tmp_path / name).write_bytes(bytes(40))
        stroke = strike(tmp_path, chance, 0.25)
        stroke(tmp_path)
        now = {name: (tmp_path / name).read_bytes() for name in files}
        [struck] = [name for name in files if now[name] != bytes(40)]
        assert struck == stroke.file
        kinds.add((stroke.kind, stroke.is_cut))
        bits = sum(byte.bit_count() for byte in now[struck])
        assert (len(now[struck]), bits) == ((stroke.place, 0) if stroke.is_cut else (40, 1))
    names = ("log", "logs of runs", "files of import jobs", "means nothing")
    assert kinds == {(kind, is_cut) for kind in names for is_cut in (True, False)}


def test_a_file_of_a_kind_that_nobody_told_of_stops_the_programme() -> None:
    with pytest.raises(AssertionError, match="add it to KINDS"):
        kind_of("novelties/1")


@pytest.mark.peer
def test_the_programme_runs_and_says_what_it_found() -> None:
    pytest.importorskip("onnx")
    command = [sys.executable, str(ROOT / "bench" / "faults.py"), "damage", "--rounds", "1"]
    done = subprocess.run(
        [*command, "--seed", "3", "--json"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert rows[-1]["name"] == "all"
    assert rows[-1]["flips"] + rows[-1]["cuts"] == 1
    assert rows[-1]["found"] + rows[-1]["harmless"] == 1
