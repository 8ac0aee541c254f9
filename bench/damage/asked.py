"""What a server says of everything it keeps: one answer for each thing, to be held against before.

Times of asking are left out, so that a server on the same folder says the same again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx

from app.inside import Device, until
from damage.made import ATTACHMENT, Made
from formats.load import BEGIN, TWINS
from running import Running

SPAN = {"from": BEGIN - 10_000_000, "to": BEGIN + 100_000_000}
ALL = {"provenance": "all", "versions": "all", "quality": "all", "limit": 1_000_000}
BUCKETS = {"bucket": 60, "aggregate": "avg"}
PASSING = frozenset({"age", "status", "lastSeen", "usedBy", "received", "$lastUpdateTime"})
"""Fields that depend on when they are asked, or say of when a value is that is told besides."""
LISTS = (
    "/models", "/digitaltwins/t-1", "/digitaltwins/valve-1", "/digitaltwins/tank-39",
    "/digitaltwins/valve-1/relationships", "/plant", "/history/series", "/rejects", "/alarms",
    "/scenarios/wider", "/scenarios/wider/result", "/runs", "/services", "/imported-models",
    "/geometries", "/attachments", "/jobs/imports/j-1", "/endpoints", "/eventroutes", "/behaviours",
    "/twins/valve-1/desired",
)  # fmt: skip
FILES = ("/imports/plant.ndjson", "/imports/plant.log", f"/attachments/{ATTACHMENT}")
OF_READINGS = ("minutes of", "last of")
Answers = dict[str, Any]
REFUSED = "refused"
"""In place of an answer; `Answers` may also lack what a list no longer names."""


def answers(running: Running, made: Made) -> Answers:
    """By question."""
    found: Answers = {}
    with running.http(made.token) as client:
        for path in LISTS:
            query = {"twin": "t-1"} if path in ("/attachments", "/history/series") else {}
            found[path] = _lasting(_json(client.get(path, params=query)))
        for one in _rows(found["/history/series"]):
            del one["value"], one["time"], one["quality"]  # asked below, of every series
        found["/services"] = [one for one in _rows(found["/services"]) if not one["problem"]]
        for path in (*FILES, *_more_files(found)):
            answer = client.get(path)
            found[path] = answer.content if answer.status_code == 200 else REFUSED
        for twin in TWINS:
            found[f"last of {twin}"] = _last(_json(client.get(f"/twins/{twin}")))
            found |= _history(client, twin)
    found |= _sessions(running, made)
    return found


def _json(answer: httpx.Response) -> Any:
    return answer.json() if answer.status_code == 200 else REFUSED


def _last(answer: Any) -> Any:
    """The newest value of each property and provenance, as a set."""
    if answer == REFUSED:
        return REFUSED
    found = set()
    for one in answer["properties"]:
        for of in (one, *one["others"]):
            known = (of["provenance"], repr(of["value"]), of["time"], of["quality"])
            found.add((one["path"], *known))
    return found


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lasting(one) for name, one in value.items() if name not in PASSING}
    return [_lasting(one) for one in value] if isinstance(value, list) else value


def _more_files(found: Answers) -> Iterator[str]:
    """Files whose names are found in lists."""
    for run in _rows(found["/runs"]):
        yield from (f"/runs/{run['id']}/log", f"/runs/{run['id']}/result")
    yield from (f"/geometries/{one['sha256']}" for one in _rows(found["/geometries"]))


def _rows(answer: Any) -> list[Any]:
    return [] if answer == REFUSED else list(answer.get("value", []))


def _history(client: httpx.Client, twin: str) -> Answers:
    """Readings as sets of rows, so that fewer of them can be told from others."""
    listed = client.get("/history/series", params={"twin": twin})
    if listed.status_code != 200:
        return {}
    names = sorted({one["property"] for one in listed.json()["value"]})
    found: Answers = {}
    for name in names:
        asked = {"twin": twin, "property": name, **SPAN, **ALL}
        answer = client.get("/history", params=asked)
        rolled = client.get("/history", params={"twin": twin, "property": name, **SPAN, **BUCKETS})
        for one in answer.json()["series"] if answer.status_code == 200 else ():
            place = f"readings of {twin}.{name} {one['provenance']}"
            texts = one.get("text", {})
            values = [texts.get(str(row), repr(v)) for row, v in enumerate(one["value"])]
            found[place] = set(zip(one["time"], values, one["quality"], strict=True))
        for one in rolled.json()["series"] if rolled.status_code == 200 else ():
            rows = zip(one["time"], map(repr, one["value"]), strict=True)
            found[f"minutes of {twin}.{name}"] = set(rows)
    return found


def _sessions(running: Running, made: Made) -> Answers:
    """What waited for a device, and the retained messages."""
    found: set[tuple[str, bytes, bool]] = set()
    address = running.mqtt_host, running.mqtt_port
    for name, clean, topic in (("t-2", False, ""), ("t-2-anew", True, "devices/#")):
        with Device(*address, name, made.device, clean=clean) as device:
            if device.refused:
                continue
            if topic:
                device.client.subscribe("devices/t-2/#", 1)
            _settled(device)
            found |= set(device.heard)
    return {"messages": found}


def _settled(device: Device) -> None:
    """Until what the server sent before it answers a later packet has come."""
    done: list[int] = []

    def answered(*_: Any) -> None:
        done.append(1)

    device.client.on_unsubscribe = answered
    device.client.unsubscribe("nothing")
    until(lambda: bool(done), "an answer of the MQTT server")


def is_part(found: Any, was: Any) -> bool:
    """Whether nothing is said that was not said before: rows may lack, and be counted so."""
    if found in (REFUSED, None) or found == was:
        return True
    if isinstance(was, set):
        return bool(found <= was)
    if isinstance(was, list):
        return all(any(is_part(one, known) for known in was) for one in found)
    if isinstance(was, dict) and isinstance(found, dict):
        return found.keys() <= was.keys() and all(is_part(found[k], was[k]) for k in found)
    is_count = type(was) is int and type(found) is int
    return is_count and found < was


def compared(before: Answers, now: Answers) -> tuple[list[str], list[str]]:
    """The questions to which there is less of an answer than before, and those with another one."""
    less, other = [], []
    for place, was in before.items():
        found = now.get(place, REFUSED)
        if found != was:
            (less if is_part(found, was) else other).append(place)
    other += [place for place in now if place not in before]
    for place in [place for place in other if place.startswith(OF_READINGS)]:
        if any(one.startswith(f"readings of {place.split(' of ')[1]}") for one in less):
            other.remove(place)  # it is worked out from what is left
            less.append(place)
    return less, other
