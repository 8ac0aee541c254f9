"""Compares the DTDL reader with the reference parser on models changed at random.

    scripts/bench dtdl_agreement [--json] [--seeds 101 102] [--count 1000] [--versions 2 3 4]

The reference is the official parser as WebAssembly (npm: @digicatapult/dtdl-parser; needs node and
npm). Bases are the public DTDL cases where they are beside the checkout, else our own models.
Answers are counted apart for models that the reference accepts and refuses, and by kind of change;
`an id` counts refusals that share an error id, `all ids` those with all of the reference's.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests/twins/dtdl"), str(ROOT / "tests")]

import agreement  # noqa: E402
from against.rows import parser, tell  # noqa: E402


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103])
    made.add_argument("--count", type=int, default=1000, help="models a seed and version")
    made.add_argument("--versions", type=int, nargs="+", default=[2, 3, 4])
    made.add_argument("--show", type=int, default=0, help="disagreements to print")
    options = made.parse_args()
    folder, why_not = agreement.reference()
    if folder is None:
        print(f"no reference parser: {why_not}", file=sys.stderr)
        return 1
    with agreement.Reference(folder) as reference:
        tell(compared(reference, options), options.json, report)
    return 0


def compared(
    reference: agreement.Reference, options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    for version in options.versions:
        bases = agreement.bases(version)
        total: Counter[str] = Counter()
        shown: list[str] = []
        busy = 0.0
        for seed in options.seeds:
            began = time.process_time()
            found = agreement.compare(reference, seed, version, bases, options.count)
            busy += time.process_time() - began
            total += found.counts
            shown += found.wrong
        yield {"name": f"DTDL {version}", **total, "cpu_s": round(busy, 2)}
        for text in shown[: options.show]:
            print("   ", text[:400])


def report(row: dict[str, Any]) -> str:
    total = Counter({key: value for key, value in row.items() if key != "name"})
    found = [f"{row['name']}   (the reference itself failed on {total['failed']}; not counted)"]
    for group in ("valid", "invalid"):
        right, of = total[f"{group} right"], total[group]
        found.append(f"  {group:14} {right:6} of {of:6}   {100 * right / max(1, of):6.2f} %")
    for name in ("an id", "all ids"):
        right, of = total[name], total["refused by both"]
        found.append(f"  {name:14} {right:6} of {of:6}   {100 * right / max(1, of):6.2f} %")
    for name in sorted(key[3:] for key in total if key.startswith("of ")):
        right, of = total[f"right {name}"], total[f"of {name}"]
        found.append(f"    {name:12} {right:6} of {of:6}   {100 * right / max(1, of):6.2f} %")
    return "\n".join(found)


if __name__ == "__main__":
    sys.exit(main())
