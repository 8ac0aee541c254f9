"""Runs one study by its name; prints exactly one JSON object on standard output."""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import sys
import time
from importlib import import_module
from pathlib import Path
from types import ModuleType

from gemel.core.errors import GemelError
from studies import SHARED, Options, StudyError, rounded

HERE = Path(__file__).parent


def names() -> dict[str, str]:
    """Every study and the first line of its module."""
    found = {}
    for file in sorted(HERE.glob("*.py")):
        if not file.name.startswith("_"):
            about = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
            found[file.stem.replace("_", "-")] = about.partition("\n")[0]
    return found


def check_set(module: ModuleType, options: Options) -> None:
    """Whether the study has the set that is asked for.

    Raises:
        StudyError: it has not; names those it has.
    """
    if options.set:
        known = module.sets(options) if hasattr(module, "sets") else []
        if options.set not in known:
            there = "there are: " + "; ".join(known) if known else "the study has none"
            raise StudyError(f"there is no set '{options.set}'; {there}")


def main(words: list[str]) -> int:
    """Runs what the words say; the exit code."""
    known = names()
    parser = argparse.ArgumentParser(
        prog="scripts/study",
        description=__doc__,
        epilog="studies:\n" + "".join(f"  {name:14} {about}\n" for name, about in known.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", help="none lists them", metavar="NAME")
    parser.add_argument("--data", type=Path, default=SHARED, help="a folder of the same form")
    parser.add_argument("--set", default="", help="which set, where there are several")
    parser.add_argument("--small", action="store_true", help="a few seconds, on a part")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="on one line, for programs")
    given = parser.parse_args(words)
    if given.name is None:
        for name, about in known.items():
            sys.stdout.write(f"{name:14} {about}\n")
        return 0
    if given.name not in known:
        parser.error(f"there is no study '{given.name}'; there are: " + ", ".join(known))
    if given.seed < 0:
        parser.error(f"--seed {given.seed} is below 0")
    module = import_module(f"studies.{given.name.replace('-', '_')}")
    options = Options(given.data, given.set, given.small, given.seed)
    begin, begin_cpu = time.perf_counter(), time.process_time()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            check_set(module, options)
            found = module.run(options)
    except (StudyError, GemelError, OSError) as error:
        sys.stderr.write(f"study {given.name}: {error}\n")
        return 1
    document = {
        "study": given.name,
        "small": given.small,
        "seed": given.seed,
        **rounded(found),
        "seconds": round(time.perf_counter() - begin, 2),
        "cpuSeconds": round(time.process_time() - begin_cpu, 2),
    }
    indent = None if given.json else 2
    sys.stdout.write(json.dumps(document, indent=indent, allow_nan=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
