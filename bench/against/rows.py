"""How a bench is asked, and the form in which it tells: rows, or one object with all of them."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import statistics
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from against.machine import machine

Figures = dict[str, Any]

KEYS = (
    "readings_per_s", "messages_per_s", "lost", "p50_ms", "p99_ms", "cpu_s", "rss_mb",
    "bytes_per_reading", "ratio",
)  # fmt: skip


def parser(about: str | None) -> argparse.ArgumentParser:
    """Of a bench's arguments, with what every bench has."""
    made = argparse.ArgumentParser(
        prog=f"scripts/bench {Path(sys.argv[0]).stem}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--json", action="store_true", help="one object on standard output")
    return made


def plain(one: Figures) -> str:
    """A row for people."""
    said = "  ".join(f"{key} {value}" for key, value in one.items() if key != "name")
    return f"{one['name']:32} {said}"


def listed(one: Figures) -> str:
    """A row with many figures, each on a line of its own."""
    return "\n".join(f"{key:24} {value}" for key, value in one.items())


def tell(
    rows: Iterable[Figures],
    as_json: bool,
    line: Callable[[Figures], str] = plain,
    about: dict[str, object] | None = None,
) -> list[Figures]:
    """Prints a line for each row when it is there, or in the end one object; gives the rows.

    Whatever else is printed meanwhile goes to standard error, and so do the lines beside JSON.

    Args:
        rows: each has a `name`.
        as_json: one object with the machine and the rows.
        line: a row for people.
        about: the machine, where more is to be told of it than usual.
    """
    out = sys.stdout
    about = about or machine({})
    found = []
    with contextlib.redirect_stdout(sys.stderr):
        for one in rows:
            found.append(one)
            print(line(one), file=sys.stderr if as_json else out, flush=True)
    if as_json:
        print(json.dumps({"machine": about, "rows": [finite(one) for one in found]}))
    return found


def row(figures: dict[str, Any]) -> dict[str, Any]:
    """A row with every key, null where there is no figure."""
    return finite({**dict.fromkeys(KEYS), **figures})  # type: ignore[no-any-return]


def medians(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Of several runs; of what was lost, the most."""
    result: dict[str, Any] = {}
    for key in found[0]:
        values = [one[key] for one in found]
        if isinstance(values[0], dict):
            result[key] = medians(values)
        elif None in values:
            result[key] = None
        else:
            result[key] = max(values) if key == "lost" else statistics.median(values)
    return result


def finite(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
