"""How many models and values a second `gemel dtdl` judges, the start of Python included.

    scripts/bench dtdl_lines [--json] [--count 6000]

The model has telemetry, an enumeration, an object and a command; values are judged against its
enumeration, its object and the object's fields in turn. Processor time is that of the command.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]

from against.rows import parser, tell  # noqa: E402


def model(number: int) -> dict[str, Any]:
    own = f"dtmi:bench:M{number}"
    mode = {
        "@id": f"{own}:mode;1",
        "@type": "Enum",
        "valueSchema": "string",
        "enumValues": [{"name": "a", "enumValue": "A"}, {"name": "b", "enumValue": "B"}],
    }
    low = {"@id": f"{own}:low;1", "name": "low", "schema": "integer"}
    limits = {
        "@id": f"{own}:limits;1",
        "@type": "Object",
        "fields": [low, {"name": "high", "schema": "integer"}],
    }
    return {
        "@context": "dtmi:dtdl:context;3",
        "@id": f"{own};1",
        "@type": "Interface",
        "contents": [
            {"@type": "Telemetry", "name": "flow", "schema": "double"},
            {"@type": "Property", "name": "mode", "schema": mode},
            {"@type": "Property", "name": "limits", "writable": True, "schema": limits},
            {"@type": "Command", "name": "stop", "request": {"name": "at", "schema": "dateTime"}},
        ],
    }


def values(count: int, is_one: bool) -> Iterator[dict[str, Any]]:
    submits = (("limits", '{"low": 1, "high": 2}'), ("mode", '"A"'), ("limits", '{"low": 1.5}'))
    for number in range(count):
        name, submit = submits[number % len(submits)]
        which = 0 if is_one else number
        subject = f"dtmi:bench:M{which}:{name};1"
        yield {"model": [model(which)], "subject": subject, "submit": submit}


def judged(action: str, lines: Iterator[dict[str, Any]], count: int) -> dict[str, Any]:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "gemel", "dtdl", action]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    answers = done.stdout.splitlines()
    assert len(answers) == count, done.stderr
    right = sum("true" in answer for answer in answers)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return {
        "lines": count,
        "yes": right,
        "seconds": round(took, 2),
        "cpu_s": round(cpu, 2),
        "per_cpu_second": round(count / cpu),
    }


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--count", type=int, default=6_000)
    options = made.parse_args()
    tell(measured(options.count), options.json)
    return 0


def measured(count: int) -> Iterator[dict[str, Any]]:
    ways = {
        "validate, a model a line": ("validate", ({"input": [model(n)]} for n in range(count))),
        "conforms, a model a line": ("conforms", values(count, False)),
        "conforms, one model": ("conforms", values(count, True)),
    }
    for name, (action, lines) in ways.items():
        yield {"name": name, **judged(action, lines, count)}


if __name__ == "__main__":
    sys.exit(main())
